"""How long to wait before the next try."""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from vedette.messages import CameraState


class _Pace(NamedTuple):
    """Seconds: the first wait, the longest one; every failure of the same kind in a row doubles it."""

    first_s: float
    longest_s: float


_USUAL: Final = _Pace(0.5, 10.0)
# Cameras lock accounts after a handful of wrong passwords, often for half an hour.
_LOGIN: Final = _Pace(15.0, 60.0)
# Asked of the nucleus on the same device: cheap, and a secret may arrive any moment.
_SECRET: Final = _Pace(1.0, 10.0)
_PACES: Final = {
    CameraState.WRONG_PASSWORD: _LOGIN,
    CameraState.PASSWORD_NEEDED: _LOGIN,
    CameraState.SECRET_UNAVAILABLE: _SECRET,
}
_AFTER_LOSS_S: Final = (0.2, 0.5)
_JITTER: Final = 0.2


class Backoff:
    """Counts failures in a row. ``uniform(a, b)`` gives the jitter: eight cameras behind one switch come back apart."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._state: CameraState | None = None
        self._failures = 0

    def next_delay_s(self, state: CameraState, *, delivered: bool) -> float:
        """Return the wait after a try that ended in ``state``; ``delivered``: it had given pictures before that."""
        if delivered:
            self._failures, self._state = 0, None
            return self._uniform(*_AFTER_LOSS_S)
        pace = _PACES.get(state, _USUAL)
        if self._state is None or _PACES.get(self._state, _USUAL) != pace:
            self._failures = 0
        self._state = state
        delay_s = min(pace.longest_s, pace.first_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return min(pace.longest_s, delay_s * self._uniform(1 - _JITTER, 1 + _JITTER))
