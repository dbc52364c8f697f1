"""A coded picture on its way out of an encoder."""

from typing import Final, NamedTuple

from vedette.rtsp_server.access_unit import join_annex_b, split_annex_b

_SPS, _PPS, _DELIMITER = 7, 8, 9
_SLICES: Final = frozenset({1, 2, 5})


class Coded(NamedTuple):
    """One access unit of H.264 with start codes; ``key``: decoding can begin here."""

    data: bytes
    key: bool


class ParameterSets:
    """Sees to it that every key frame begins with its parameter sets, and has them nowhere else.

    Some drivers send them once, or by themselves; GStreamer's payloader puts them before each slice, where decoders
    take the second for another picture.
    """

    def __init__(self) -> None:
        self._sets: dict[int, bytes] = {}

    def complete(self, coded: Coded) -> Coded | None:
        """Return the picture as it should be; None where there is no picture in it."""
        units = split_annex_b(coded.data)
        self._sets.update({_kind(unit): unit for unit in units if _kind(unit) in (_SPS, _PPS)})
        if not any(_kind(unit) in _SLICES for unit in units):
            return None
        rest = [unit for unit in units if _kind(unit) not in (_SPS, _PPS)]
        if coded.key:
            sets = [self._sets[kind] for kind in (_SPS, _PPS) if kind in self._sets]
            after = 1 if _kind(rest[0]) == _DELIMITER else 0
            rest[after:after] = sets
        return coded if len(rest) == len(units) else Coded(join_annex_b(rest), coded.key)


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F
