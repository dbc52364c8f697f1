"""How long runs take and how many there are, for the model's status."""

from collections import deque
from statistics import median

_LAST_RUNS = 100
_WINDOW_S = 5.0


class RunTimes:
    """Durations of the last runs and the rate over the last seconds. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._durations: deque[float] = deque(maxlen=_LAST_RUNS)
        self._rate_since: tuple[float, int] = (0.0, 0)
        self._rate: float | None = None

    def add(self, seconds: float) -> None:
        """Note a run."""
        self._durations.append(seconds)

    def median_ms(self) -> float | None:
        """Return the median duration of up to 100 runs, or None before the first."""
        durations = list(self._durations)
        return round(median(durations) * 1000, 3) if durations else None

    def calls_per_s(self, now: float, calls: int) -> float | None:
        """Return the rate over the last full window of 5 s, given the number of calls until ``now`` (seconds)."""
        since, before = self._rate_since
        if since == 0.0:
            self._rate_since = (now, calls)
        elif now - since >= _WINDOW_S:
            self._rate = round((calls - before) / (now - since), 2)
            self._rate_since = (now, calls)
        return self._rate
