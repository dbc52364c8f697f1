"""RTP and RTCP packets as a receiver reads and writes them (RFC 3550). A codec: no I/O."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct(">BBHII")
HEAD_BYTES: Final = _HEAD.size
"""What every RTP packet begins with, before what else its head may hold."""
_NTP_EPOCH_S: Final = 2_208_988_800
_NOTHING: Final = memoryview(b"")
_JPEG_EXTENSION, _REPLAY = b"\xff\xd8", b"\xab\xac"
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE = 200, 201, 202, 203


class RtpPacket(NamedTuple):
    """One packet. ``stamp`` counts the stream's clock, ``last`` is the marker: a picture ends here.

    ``jpeg_head`` is what ONVIF's header extension says of a JPEG image beside RFC 2435's header: segments of its head.
    """

    sequence: int
    stamp: int
    last: bool
    kind: int
    source: int
    payload: memoryview
    jpeg_head: memoryview = memoryview(b"")


class SenderReport(NamedTuple):
    """At Unix time ``wall_ns`` of the camera's clock its stream was at ``stamp``."""

    source: int
    wall_ns: int
    stamp: int


class Bye(NamedTuple):
    """The sender ``source`` ends its stream."""

    source: int


def parse(data: memoryview) -> RtpPacket | None:
    """Return the packet, None for what is none or carries nothing."""
    end = len(data)
    if end <= HEAD_BYTES:
        return None
    first, second, sequence, stamp, source = _HEAD.unpack_from(data)
    if first >> 6 != 2:
        return None
    start = HEAD_BYTES
    jpeg_head = _NOTHING
    if first & 0x3F:
        start += 4 * (first & 0x0F)
        if first & 0x10 and start + 4 <= end:
            extension = data[start : start + 4 + 4 * (data[start + 2] << 8 | data[start + 3])]
            start += len(extension)
            jpeg_head = _jpeg_head(extension)
        if first & 0x20:
            end -= data[-1]
        if start >= end:
            return None
    return RtpPacket(sequence, stamp, second > 0x7F, second & 0x7F, source, data[start:end], jpeg_head)


def _jpeg_head(extension: memoryview) -> memoryview:
    """Return what an extension says of a JPEG image (ONVIF streaming specification, 5.1.3), alone or in a replay's."""
    if extension[:2] == _REPLAY and len(extension) >= 20:
        extension = extension[16:]
    return extension[4:] if extension[:2] == _JPEG_EXTENSION else _NOTHING


def parse_control(data: memoryview) -> Iterator[SenderReport | Bye]:
    """Yield what is of use in a compound RTCP packet; stops where it is damaged."""
    position = 0
    while position + 8 <= len(data):
        first, kind, words, source = struct.unpack_from(">BBHI", data, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return
        if kind == _SENDER_REPORT and words >= 6:
            seconds, fraction, stamp = struct.unpack_from(">III", data, position + 8)
            # The count of seconds began anew in 2036: what is before 1968 belongs to the time after.
            seconds += (1 << 32) * (seconds < 1 << 31) - _NTP_EPOCH_S
            yield SenderReport(source, seconds * 1_000_000_000 + (fraction * 1_000_000_000 >> 32), stamp)
        elif kind == _BYE:
            yield Bye(source)
        position = end


def receiver_report(own: int, source: int, *, highest: int, lost: int) -> bytes:
    """Return the report by which a server knows that somebody still takes the packets of ``source``.

    ``highest`` is the greatest sequence number so far, its wraps in the upper 16 bits; ``lost`` packets are missing.
    """
    report = struct.pack(">BBHI", 0x81, _RECEIVER_REPORT, 7, own)
    report += struct.pack(">IIIIII", source, min(lost, 0x7FFFFF), highest & 0xFFFFFFFF, 0, 0, 0)
    # The name, which has to come with every report, is padded to whole words.
    return report + struct.pack(">BBHIBB6s", 0x81, _DESCRIPTION, 3, own, 1, 2, b"ve\0\0\0\0")
