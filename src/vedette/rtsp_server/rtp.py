"""RTP and RTCP packets of one stream to one viewer (RFC 3550). No I/O."""

import struct
from collections.abc import Iterator
from typing import Final

from vedette.rtsp_server.access_unit import AccessUnit
from vedette.rtsp_server.codecs import Codec

CLOCK_HZ: Final = 90_000
MOST_PAYLOAD_BYTES: Final = 1400
"""With all headers under the 1500 bytes of an Ethernet, also in a tunnel."""
_NTP_EPOCH_S: Final = 2_208_988_800
_SENDER_REPORT, _DESCRIPTION, _BYE = 200, 202, 203


class Packer:
    """Numbers, stamps and counts the packets of one stream.

    ``ssrc``, ``sequence`` and ``offset`` are the random numbers RFC 3550 asks for; ``name`` is the canonical one.
    """

    def __init__(self, codec: Codec, *, ssrc: int, sequence: int, offset: int, name: str) -> None:
        self._codec = codec
        self._ssrc = ssrc
        self._sequence = sequence & 0xFFFF
        self._offset = offset
        self._name = name.encode()[:255]
        self._packets = 0
        self._octets = 0
        self._newest: AccessUnit | None = None
        self._began_ns: int | None = None

    @property
    def next_stamp(self) -> int | None:
        """The time stamp of the next picture, whenever it comes; known before the first alone."""
        return self._offset if self._newest is None else None

    @property
    def sequence(self) -> int:
        """The number of the next packet."""
        return self._sequence

    @property
    def ssrc(self) -> int:
        """Who sends."""
        return self._ssrc

    def packets(self, unit: AccessUnit) -> Iterator[bytes]:
        """Yield the packets of one picture."""
        self._newest = unit
        if self._began_ns is None:
            self._began_ns = unit.pts_ns
        stamp = self._stamp(unit.pts_ns)
        held: bytes | None = None
        for payload in self._codec.payloads(unit.nals, MOST_PAYLOAD_BYTES):
            if held is not None:
                yield self._packet(held, stamp, last=False)
            held = payload
        if held is not None:
            yield self._packet(held, stamp, last=True)

    def report(self, wall_ns: int) -> bytes | None:
        """Return a sender report: which moment of the stream is ``wall_ns``, Unix time; None before any picture."""
        if self._newest is None:
            return None
        stamp = self._stamp(self._newest.pts_ns + wall_ns - self._newest.wall_ns)
        seconds, rest = divmod(wall_ns, 1_000_000_000)
        fraction = (rest << 32) // 1_000_000_000
        head = struct.pack(
            ">BBHIIIIII",
            0x80,
            _SENDER_REPORT,
            6,
            self._ssrc,
            (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF,
            fraction,
            stamp,
            self._packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )
        return head + self._description()

    def bye(self) -> bytes:
        """Return the packet that ends the stream."""
        return self._description() + struct.pack(">BBHI", 0x81, _BYE, 1, self._ssrc)

    def _stamp(self, pts_ns: int) -> int:
        since_ns = pts_ns - (self._began_ns or 0)
        return (self._offset + since_ns * CLOCK_HZ // 1_000_000_000) & 0xFFFFFFFF

    def _packet(self, payload: bytes, stamp: int, *, last: bool) -> bytes:
        kind = self._codec.payload_type | (0x80 if last else 0)
        header = struct.pack(">BBHII", 0x80, kind, self._sequence, stamp, self._ssrc)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._packets += 1
        self._octets += len(payload)
        return header + payload

    def _description(self) -> bytes:
        item = struct.pack(">IBB", self._ssrc, 1, len(self._name)) + self._name
        item += b"\x00" * (4 - len(item) % 4)
        return struct.pack(">BBH", 0x81, _DESCRIPTION, len(item) // 4) + item
