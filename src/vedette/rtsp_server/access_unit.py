"""Coded pictures as a server takes them, and the byte streams that they come in. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_START: Final = b"\x00\x00\x01"


@dataclass(frozen=True)
class AccessUnit:
    """One coded picture.

    ``nals`` are its NAL units without start codes, in coding order (for MJPEG: the one JPEG image). ``pts_ns`` is when
    it is to be shown, on a line of time of the stream's own; ``wall_ns`` is the Unix time at which it was captured.
    """

    nals: tuple[bytes, ...]
    pts_ns: int
    wall_ns: int
    key: bool

    @property
    def size(self) -> int:
        """Bytes of the picture."""
        return sum(map(len, self.nals))


def split_annex_b(data: bytes) -> tuple[bytes, ...]:
    """Return the NAL units of a byte stream with start codes; what stands before the first start code is left out."""
    starts = []
    position = data.find(_START)
    while position >= 0:
        starts.append(position)
        position = data.find(_START, position + 3)
    ends = [*starts[1:], len(data)]
    # A NAL unit never ends in a zero byte: what is there belongs to the next start code.
    units = (data[start + 3 : end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=False))
    return tuple(unit for unit in units if unit)


def join_annex_b(nals: Iterable[bytes]) -> bytes:
    """Return the byte stream of ``nals``, a start code of four bytes before each."""
    return b"".join(b"\x00" + _START + nal for nal in nals)
