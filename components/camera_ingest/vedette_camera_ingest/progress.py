"""Judges from the times of packets and frames whether a stream is alive. No clock of its own, no I/O."""

from collections import deque
from enum import Enum
from statistics import median
from typing import Final

_STALL_S: Final = 3.0
_STALL_INTERVALS: Final = 5
# Before two intervals are known: the slowest start that was seen is an H.264+ camera with 8 s between key frames.
_FIRST_S: Final = 10.0
_HOPELESS_S: Final = 60.0


class Verdict(Enum):
    """What to make of the stream now."""

    GOOD = "good"
    NO_PICTURE = "no-picture"
    """Packets arrive, but no complete picture comes of them."""
    HOPELESS = "hopeless"
    """The same for so long that a new connection is worth a try."""
    STALLED = "stalled"
    """Nothing arrives."""


class Progress:
    """Times are monotonic seconds; ``started`` is when the stream was opened."""

    def __init__(self, started: float) -> None:
        self._last_packet = started
        self._last_frame = started
        self._packets = 0
        self._intervals: deque[float] = deque(maxlen=31)

    @property
    def packets(self) -> int:
        """Packets so far."""
        return self._packets

    @property
    def patience_s(self) -> float:
        """How long the stream may be silent: max(3 s, 5 intervals)."""
        if len(self._intervals) < 2:
            return _FIRST_S
        return max(_STALL_S, _STALL_INTERVALS * median(self._intervals))

    def packet(self, now: float) -> None:
        """A packet of video has arrived."""
        if self._packets:
            self._intervals.append(now - self._last_packet)
        self._packets += 1
        self._last_packet = now

    def frame(self, now: float) -> None:
        """A frame has been decoded, or left out on purpose."""
        self._last_frame = now

    def silent_s(self, now: float) -> float:
        """Seconds without a packet."""
        return now - self._last_packet

    def verdict(self, now: float) -> Verdict:
        """Judge the stream."""
        silent_s, without_picture_s = self.silent_s(now), now - self._last_frame
        if silent_s <= _STALL_S and without_picture_s <= _STALL_S:
            # The usual case, asked at every packet: no need to know the rate.
            return Verdict.GOOD
        if silent_s > self.patience_s:
            return Verdict.STALLED
        if without_picture_s > _HOPELESS_S:
            return Verdict.HOPELESS
        if self._packets and without_picture_s > max(_STALL_S, min(self.patience_s, _FIRST_S)):
            return Verdict.NO_PICTURE
        return Verdict.GOOD
