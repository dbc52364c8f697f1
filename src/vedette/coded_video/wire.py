"""How a coded picture travels: a packet with its facts, then its data in packets of PIECE_BYTES at most. No I/O.

``VCP1``, codec (1: H.264, 2: H.265, 3: JPEG), flags (1: a key frame), Unix time and monotonic time of capture in ns,
bytes of the data; all in network order.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_BYTES: Final = 16 * 1024 * 1024
PIECE_BYTES: Final = 65_536
CODECS: Final = {"H264": 1, "H265": 2, "JPEG": 3}
"""RTP's names."""
_NAMES: Final = {number: name for name, number in CODECS.items()}
_HEAD: Final = struct.Struct("!4sBBqqI")
_MAGIC: Final = b"VCP1"
_KEY: Final = 1


class Coded(NamedTuple):
    """One picture: NAL units with start codes (JPEG: the image); key frames carry the parameter sets."""

    codec: str
    data: bytes
    key: bool
    wall_ns: int
    mono_ns: int


def packets(picture: Coded) -> Iterator[bytes]:
    """Yield what is sent for a picture."""
    flags = _KEY if picture.key else 0
    data = picture.data
    yield _HEAD.pack(_MAGIC, CODECS[picture.codec], flags, picture.wall_ns, picture.mono_ns, len(data))
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


def read_head(packet: bytes) -> tuple[Coded, int]:
    """Return a picture without its data, and how many bytes of it follow.

    :raises ValueError: for anything else
    """
    if len(packet) != _HEAD.size or packet[:4] != _MAGIC:
        raise ValueError("no picture begins here")
    _, codec, flags, wall_ns, mono_ns, size = _HEAD.unpack(packet)
    if codec not in _NAMES or not 0 < size <= MOST_BYTES:
        raise ValueError("a picture of an unknown codec, or of an impossible size")
    return Coded(_NAMES[codec], b"", bool(flags & _KEY), wall_ns, mono_ns), size
