"""What the Matroska header needs of an H.264 sequence parameter set (ITU-T H.264, 7.3.2.1.1). No I/O."""

from typing import Final, NamedTuple

_HIGH: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class Sps(NamedTuple):
    """Size in pixels, cropped; ``chroma``: 1 for 4:2:0; depths in bits."""

    width: int
    height: int
    chroma: int = 1
    luma_depth: int = 8
    chroma_depth: int = 8


class SpsError(ValueError):
    """The parameter set cannot be read."""


def read_sps(nal: bytes) -> Sps:
    """Read a NAL unit of type 7.

    :raises SpsError: for what is not one
    """
    if len(nal) < 5 or nal[0] & 0x1F != 7:
        raise SpsError("no sequence parameter set")
    bits = _Bits(nal[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    chroma, luma_depth, chroma_depth, separate = 1, 8, 8, 0
    if profile in _HIGH:
        chroma = bits.ue()
        separate = bits.take(1) if chroma == 3 else 0
        luma_depth, chroma_depth = 8 + bits.ue(), 8 + bits.ue()
        bits.take(1)
        if bits.take(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(255, bits.ue())):
            bits.se()
    bits.ue()
    bits.take(1)
    columns, rows = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    planes = 0 if separate else chroma
    unit_x, unit_y = (2 if planes in (1, 2) else 1), (2 if planes == 1 else 1) * (2 - frames_only)
    width = columns * 16 - unit_x * (left + right)
    height = rows * 16 * (2 - frames_only) - unit_y * (top + bottom)
    if not (0 < width <= 16_384 and 0 < height <= 16_384):
        raise SpsError(f"a size of {width}x{height} cannot be")
    return Sps(width, height, chroma, luma_depth, chroma_depth)


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise SpsError("the sequence parameter set breaks off")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise SpsError("a number of the sequence parameter set is over 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value % 2 else -(value // 2)
