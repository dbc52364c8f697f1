"""Decides which packets are decoded: none before a key frame, few while nobody looks or when decoding falls behind."""

from collections.abc import Callable
from enum import Enum
from typing import Final

# From here to there pictures that no other needs are left out, before whole seconds have to be.
_LATE_S: Final = 0.3
_PROMPT_S: Final = 0.1
# Longer than the packets that libav collects while it opens a stream.
_BEHIND_S: Final = 1.0
# How long frames are decoded before and after the last reader: applications take that long to restart.
_GRACE_S: Final = 3.0
# While nobody looks: so often a picture is kept ready for who comes next.
_GLANCE_S: Final = 1.0


class Passage(Enum):
    """What to do with a packet."""

    DECODE = "decode"
    GLANCE = "glance"
    """Decode this key frame by itself; what follows it is left out."""
    DROP = "drop"


class Gate:
    """Times are monotonic seconds. ``readers`` tells how many readers the ring has."""

    def __init__(self, readers: Callable[[], int], started: float) -> None:
        self._readers = readers
        self._read_until = started + _GRACE_S
        self._last_glance = started
        self._whole = False
        self._idle = False
        self._late = False
        self.behind = 0
        """Packets left out because decoding fell behind."""

    @property
    def idle(self) -> bool:
        """Whether packets are left out because nobody looks."""
        return self._idle

    @property
    def late(self) -> bool:
        """Whether decoding is about to fall behind."""
        return self._late

    def judge(self, now: float, received: float, *, key: bool) -> Passage:
        """Judge the next packet of the stream, which was received at ``received``."""
        if self._readers():
            self._read_until = now + _GRACE_S
        self._idle = now > self._read_until
        if self._idle:
            self._whole = False
            if key and now - self._last_glance >= _GLANCE_S:
                self._last_glance = now
                return Passage.GLANCE
            return Passage.DROP
        self._late = now - received > (_PROMPT_S if self._late else _LATE_S)
        if now - received > _BEHIND_S and not key:
            self._whole = False
            self.behind += 1
            return Passage.DROP
        if key:
            self._whole = True
        return Passage.DECODE if self._whole else Passage.DROP
