"""When the lines of a file were written, whatever became of the clock meanwhile. No I/O.

A line says its time itself, or goes by when the file was seen to grow. Both are moments of this device's clock; what
counts is their distance from now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MOST_AGO_S: Final = 3600.0
"""A line that says to be older than the growth of its file by more speaks of something else."""
_UNSEEN_S: Final = 13 * 86400.0
"""The same of lines that were there before the file was first seen; CloudWatch takes 14 days."""
_AHEAD_S: Final = 2.0
_MOST_MARKS: Final = 400
_TURN_S: Final = 60.0


@dataclass(frozen=True)
class Mark:
    """Up to ``offset`` a file was written at this moment: Unix time, start of the machine and seconds since then."""

    offset: int
    wall: float
    boot: str
    uptime: float


@dataclass(frozen=True)
class Now:
    """The present: Unix time as AWS has it, start of the machine, seconds since then."""

    true: float
    boot: str
    uptime: float

    def of(self, mark: Mark) -> float:
        """Return the Unix time of a mark as AWS has it."""
        if mark.boot and mark.boot == self.boot:
            return self.true - max(0.0, self.uptime - mark.uptime)
        return mark.wall


def thinned(marks: Sequence[Mark], offset: int) -> list[Mark]:
    """Return the marks that are still of use to a file read up to ``offset``: the last one before it, and a bounded
    number behind; of those that are too many every other goes.
    """
    behind = [mark for mark in marks if mark.offset > offset]
    before = [mark for mark in marks if mark.offset <= offset][-1:]
    if len(behind) > _MOST_MARKS:
        behind = [*behind[1:-1:2], behind[-1]]
    return before + behind


class Dating:
    """Gives each line of one file its time, in the order of the file."""

    def __init__(self, marks: Sequence[Mark], now: Now) -> None:
        self._marks = marks
        self._now = now
        self._index = 0
        self._last: float | None = None
        self._said = False

    def time_of(self, end: int, own: float | None) -> float:
        """Return the Unix time of the line that ends at ``end``; ``own``: the one it names, by this device's clock."""
        while self._index < len(self._marks) - 1 and self._marks[self._index].offset < end:
            self._index += 1
            self._said = False
        if not self._marks:
            return self._now.true
        mark = self._marks[self._index]
        moment = self._now.of(mark)
        ago = None if own is None else mark.wall - own
        if ago is not None and -_AHEAD_S <= ago <= self._patience_s():
            moment, self._said = moment - max(0.0, ago), True
        elif self._said and self._last is not None:
            moment = self._last  # the next line of one that said its time, as of a traceback
        # Lines of one moment stay in their order; a clock that was set back does not hold later ones up.
        if self._last is not None and 0 < self._last - moment < _TURN_S:
            moment = self._last
        self._last = moment
        return moment

    def _patience_s(self) -> float:
        if self._index == 0:
            return _UNSEEN_S  # written while nobody looked
        mark, before = self._marks[self._index], self._marks[self._index - 1]
        gap = mark.uptime - before.uptime if mark.boot == before.boot else mark.wall - before.wall
        return max(_MOST_AGO_S, gap)
