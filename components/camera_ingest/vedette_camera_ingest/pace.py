"""At most so many pictures a second: which are handed on, and which need not even be decoded. No I/O."""

from collections import deque
from enum import Enum
from typing import Final

# A picture that comes this share of an interval early is on time: cameras jitter.
_EARLY: Final = 0.1
_WINDOW_NS: Final = 4_000_000_000
_GAP_NS: Final = 1_000_000_000
# Enough pictures must be left for the rate that is wanted, or what looked like saving would be loss.
_ENOUGH: Final = 0.95


class Effort(Enum):
    """Which packets are decoded. The values are libav's names for what is left out."""

    ALL = "DEFAULT"
    REFERENCES = "NONREF"
    """All but those that no other picture needs."""
    KEYS = "NONKEY"
    """Key frames only."""


class Pace:
    """Lets pictures through at ``most`` a second, evenly; all of them for None. Times are monotonic ns."""

    def __init__(self, most: float | None) -> None:
        self._most = most
        self._interval_ns = None if most is None else int(1e9 / most)
        self._due_ns: int | None = None
        self._packets: deque[int] = deque()
        self._keys: deque[int] = deque()
        self._frames: deque[int] = deque()
        self._effort = Effort.ALL
        self._failed: set[Effort] = set()

    def passes(self, at_ns: int) -> bool:
        """Tell whether the picture captured at ``at_ns`` is handed on."""
        if self._interval_ns is None:
            return True
        if self._due_ns is None or abs(at_ns - self._due_ns) > 10 * self._interval_ns:
            self._due_ns = at_ns
        if at_ns < self._due_ns - _EARLY * self._interval_ns:
            return False
        self._due_ns = max(self._due_ns + self._interval_ns, at_ns - self._interval_ns // 2)
        return True

    def effort(self, now_ns: int, *, key: bool, frames: int) -> Effort:
        """Take note of a packet and of the ``frames`` that came of it; return how much is to be decoded from now on.

        What no other picture needs is left out as soon as the stream is twice as fast as wanted, everything but key
        frames when those are enough. What leaves too few pictures is not tried again: not every stream has pictures
        that can be left out.
        """
        if self._most is None:
            return Effort.ALL
        if self._packets and now_ns - self._packets[-1] > _GAP_NS:
            self._forget()
        self._packets.append(now_ns)
        self._keys += [now_ns] * key
        self._frames += [now_ns] * frames
        for times in (self._packets, self._keys, self._frames):
            while times and times[0] < now_ns - _WINDOW_NS:
                times.popleft()
        if now_ns - self._packets[0] >= 0.9 * _WINDOW_NS:
            self._judge(self._most * _WINDOW_NS / 1e9)
        return self._effort

    def _judge(self, wanted: float) -> None:
        """Choose; ``wanted`` is the number of pictures in a window."""
        if self._effort is not Effort.ALL and len(self._frames) < _ENOUGH * wanted:
            self._failed.add(self._effort)
            self._effort = Effort.ALL
            self._forget()
            return
        better = Effort.ALL
        if len(self._packets) >= 2 * wanted and Effort.REFERENCES not in self._failed:
            better = Effort.REFERENCES
        if len(self._keys) >= wanted and Effort.KEYS not in self._failed:
            better = Effort.KEYS
        if better is not self._effort:
            self._effort = better
            self._forget()

    def _forget(self) -> None:
        for times in (self._packets, self._keys, self._frames):
            times.clear()
