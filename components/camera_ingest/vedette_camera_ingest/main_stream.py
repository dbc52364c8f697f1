"""When the main stream of a camera is open: while somebody wants it, and some seconds longer. No I/O, no clock.

A camera that allows one session only may end the small stream, which applications live on, whenever the main one is
opened. That is seen by what happens, not by what cameras say of themselves, and the small stream goes first.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Final

BARRED_S: Final = 60.0
"""How long the main stream stays closed when opening it has cost applications their pictures."""
_STRIKES: Final = 2
_STRIKES_WITHIN_S: Final = 600.0
# A session that is thrown out for another one is thrown out soon; a network that fails does so at any time.
_THROWN_OUT_WITHIN_S: Final = 10.0


class MainState(Enum):
    """Whether the main stream is open."""

    CLOSED = "closed"
    OPEN = "open"
    LINGERING = "lingering"
    """Open, though nobody wants it any more: who comes back in a moment finds it."""
    BARRED = "barred"
    """Closed, though somebody may want it: it costs applications their pictures."""


class MainEvent(Enum):
    """What happens to it."""

    WANTED = "wanted"
    UNWANTED = "unwanted"
    TIME_IS_UP = "time-is-up"
    DISTURBS = "disturbs"


TRANSITIONS: Final[Mapping[tuple[MainState, MainEvent], MainState]] = {
    (MainState.CLOSED, MainEvent.WANTED): MainState.OPEN,
    (MainState.OPEN, MainEvent.UNWANTED): MainState.LINGERING,
    (MainState.OPEN, MainEvent.DISTURBS): MainState.BARRED,
    (MainState.LINGERING, MainEvent.WANTED): MainState.OPEN,
    (MainState.LINGERING, MainEvent.TIME_IS_UP): MainState.CLOSED,
    (MainState.LINGERING, MainEvent.DISTURBS): MainState.BARRED,
    (MainState.BARRED, MainEvent.TIME_IS_UP): MainState.CLOSED,
}
"""What is not listed changes nothing."""


class MainStream:
    """The main stream of one camera. Times are monotonic seconds; ``linger_s``: how long it stays open for nobody."""

    def __init__(self, linger_s: float) -> None:
        self._lasts_s = {MainState.LINGERING: linger_s, MainState.BARRED: BARRED_S}
        self._until = 0.0
        self._began = 0.0
        self._strikes: deque[float] = deque(maxlen=_STRIKES)
        self.state = MainState.CLOSED
        """The present state."""

    @property
    def runs(self) -> bool:
        """Whether it is to be played."""
        return self.state in (MainState.OPEN, MainState.LINGERING)

    def left_s(self, now: float) -> float:
        """Return how long it stays barred."""
        return max(0.0, self._until - now) if self.state is MainState.BARRED else 0.0

    def tick(self, now: float, *, wanted: bool) -> None:
        """Take note of whether somebody wants it now."""
        if self.state in self._lasts_s and now >= self._until:
            self._apply(MainEvent.TIME_IS_UP, now)
        self._apply(MainEvent.WANTED if wanted else MainEvent.UNWANTED, now)

    def live(self, now: float) -> None:
        """Its first picture has come, also after a loss."""
        self._began = now

    def small_stream_lost(self, now: float) -> None:
        """The small stream was live and has broken off; soon after this one began, that is no accident twice."""
        if not self.runs or now - self._began > _THROWN_OUT_WITHIN_S:
            return
        self._strikes.append(now)
        if len(self._strikes) == _STRIKES and now - self._strikes[0] <= _STRIKES_WITHIN_S:
            self._apply(MainEvent.DISTURBS, now)

    def small_stream_refused(self, now: float) -> None:
        """The camera has no session left for the small stream."""
        self._apply(MainEvent.DISTURBS, now)

    def _apply(self, event: MainEvent, now: float) -> None:
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return
        if after is MainState.OPEN and self.state is MainState.CLOSED:
            self._began = now
        self.state = after
        if after in self._lasts_s:
            self._until = now + self._lasts_s[after]
