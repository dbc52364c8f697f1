"""The Matroska of a PutMedia request: one segment, one video track, a cluster a fragment. No I/O.

Written by hand: what Kinesis Video Streams takes is narrow (one segment, each cluster one fragment, no seek heads, cues
or voids), while libav's muxer joins and splits clusters by rules of its own. The elements are those of AWS's own
producer.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

TRACK: Final = 1
CODEC_ID: Final = "V_MPEG4/ISO/AVC"
_TIMECODE_SCALE_NS: Final = 1_000_000
_UNKNOWN_SIZE: Final = b"\x01\xff\xff\xff\xff\xff\xff\xff"

_EBML, _EBML_VERSION, _EBML_READ_VERSION = 0x1A45DFA3, 0x4286, 0x42F7
_EBML_MAX_ID, _EBML_MAX_SIZE, _DOC_TYPE, _DOC_VERSION, _DOC_READ_VERSION = 0x42F2, 0x42F3, 0x4282, 0x4287, 0x4285
_SEGMENT, _INFO, _SEGMENT_UID, _SCALE, _MUXER, _WRITER = 0x18538067, 0x1549A966, 0x73A4, 0x2AD7B1, 0x4D80, 0x5741
_TRACKS, _ENTRY, _NUMBER, _UID, _TYPE, _LACING = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x9C
_NAME, _CODEC, _PRIVATE, _VIDEO, _WIDTH, _HEIGHT = 0x536E, 0x86, 0x63A2, 0xE0, 0xB0, 0xBA
_CLUSTER, _TIMECODE, _BLOCK = 0x1F43B675, 0xE7, 0xA3


class Track(NamedTuple):
    """What a decoder has to know before the first picture. ``configuration``: AVCDecoderConfigurationRecord."""

    configuration: bytes
    width: int
    height: int


class Sample(NamedTuple):
    """One picture of a cluster; ``at_ms``: Unix time."""

    data: bytes
    at_ms: int
    key: bool


def header(track: Track, uid: bytes, application: str) -> bytes:
    """Return what a request begins with. ``uid``: 16 bytes, another for each request."""
    ebml = (
        _unsigned(_EBML_VERSION, 1) + _unsigned(_EBML_READ_VERSION, 1) + _unsigned(_EBML_MAX_ID, 4)
        + _unsigned(_EBML_MAX_SIZE, 8) + _element(_DOC_TYPE, b"matroska") + _unsigned(_DOC_VERSION, 2)
        + _unsigned(_DOC_READ_VERSION, 2)
    )  # fmt: skip
    info = (
        _element(_SEGMENT_UID, uid) + _unsigned(_SCALE, _TIMECODE_SCALE_NS)
        + _element(_MUXER, application.encode()) + _element(_WRITER, application.encode())
    )  # fmt: skip
    entry = (
        _unsigned(_NUMBER, TRACK) + _unsigned(_UID, TRACK) + _unsigned(_TYPE, 1) + _unsigned(_LACING, 0)
        + _element(_NAME, b"video") + _element(_CODEC, CODEC_ID.encode()) + _element(_PRIVATE, track.configuration)
        + _element(_VIDEO, _unsigned(_WIDTH, track.width) + _unsigned(_HEIGHT, track.height))
    )  # fmt: skip
    segment = _id(_SEGMENT) + _UNKNOWN_SIZE
    return _element(_EBML, ebml) + segment + _element(_INFO, info) + _element(_TRACKS, _element(_ENTRY, entry))


def cluster(samples: Iterable[Sample], *, earlier_ms: int = 0) -> bytes:
    """Return a cluster; its time code is the first sample's, as Unix time in ms.

    :param earlier_ms: taken off every time: how far the clock that made them is ahead
    :raises ValueError: without samples, or when one is over 32 s after the first
    """
    found = list(samples)
    if not found:
        raise ValueError("a cluster has to have a sample")
    start = found[0].at_ms
    parts = [_unsigned(_TIMECODE, start - earlier_ms)]
    for each in found:
        offset = each.at_ms - start
        if not 0 <= offset <= 0x7FFF:
            raise ValueError(f"a picture {offset} ms after its cluster's first does not fit into the cluster")
        head = bytes([0x80 | TRACK]) + offset.to_bytes(2, "big") + bytes([0x80 if each.key else 0])
        parts.append(_id(_BLOCK) + _size(len(head) + len(each.data)) + head + each.data)
    return _element(_CLUSTER, b"".join(parts))


def _element(number: int, content: bytes) -> bytes:
    return _id(number) + _size(len(content)) + content


def _unsigned(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _id(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    length = 1
    # All ones would say "not known".
    while size >= (1 << 7 * length) - 1:
        length += 1
    return (size | 1 << 7 * length).to_bytes(length, "big")
