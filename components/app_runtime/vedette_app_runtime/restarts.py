"""When an application that ended is started again.

Any end is a failure: many applications catch everything, log it and end with exit code 0.

| the application | is started again after |
|---|---|
| ended, having run 30 s or more | 0.2 s |
| ended sooner, n times in a row | 0.2 s, 0.4 s, ... 30 s |
| ended 5 times within 2 minutes | held back: 60 s, until it has run 30 s |
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 30.0
GOOD_RUN_S: Final = 30.0
HELD_BACK_DELAY_S: Final = 60.0
HELD_BACK_EXITS: Final = 5
HELD_BACK_WINDOW_S: Final = 120.0


@dataclass(frozen=True)
class Decision:
    """What follows an exit."""

    delay_s: float
    held_back: bool


@dataclass
class RestartPolicy:
    """Remembers the exits of one application; times are of a monotonic clock, s."""

    _exits: deque[float] = field(default_factory=lambda: deque(maxlen=HELD_BACK_EXITS))
    _in_a_row: int = 0
    _held_back: bool = False

    def forget(self) -> None:
        """Forget what was: it is another application from now on."""
        self._exits.clear()
        self._in_a_row = 0
        self._held_back = False

    def ended(self, started_at: float, now: float) -> Decision:
        """Note that a run which began at ``started_at`` ended ``now``; return when to start the next."""
        if now - started_at >= GOOD_RUN_S:
            self.forget()
        self._exits.append(now)
        self._in_a_row += 1
        if len(self._exits) == HELD_BACK_EXITS and now - self._exits[0] <= HELD_BACK_WINDOW_S:
            self._held_back = True
        if self._held_back:
            return Decision(HELD_BACK_DELAY_S, held_back=True)
        # The exponent is bounded: 2.0 ** 1100 overflows.
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._in_a_row - 1, 16))
        return Decision(delay, held_back=False)
