"""Counts of other processes, which begin at 0 whenever those start, turned into what was added since the last look."""

from collections.abc import Mapping
from typing import Any


class Counters:
    """Remembers each count and whose it is. Owners tell two lives of a process apart: a process id, a start time."""

    def __init__(self, remembered: object = None) -> None:
        """``remembered``: what :meth:`to_note` gave, from an earlier life of this process."""
        self._last: dict[str, tuple[str, int]] = {}
        if isinstance(remembered, Mapping):
            for key, entry in remembered.items():
                if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], int):
                    self._last[str(key)] = (str(entry[0]), entry[1])
        self._new: dict[str, tuple[str, int]] = {}

    def added(self, key: str, owner: object, count: int, *, first: int | None = None) -> int:
        """Return what was added since the last look.

        :param first: what a count that was never seen before counts as; None: as it is, since it began at 0
        """
        before = self._last.get(key)
        self._new[key] = (str(owner), count)
        if before is None:
            return count if first is None else first
        if before[0] == str(owner) and count >= before[1]:
            return count - before[1]
        return count

    def to_note(self) -> Mapping[str, Any]:
        """Return what has to be remembered, and look on from there. What was not seen this time is kept."""
        self._last = {**self._last, **self._new}
        self._new = {}
        # Cameras and applications come and go: a device that has seen hundreds remembers the newest.
        kept = list(self._last.items())[-2000:]
        self._last = dict(kept)
        return {key: list(entry) for key, entry in kept}
