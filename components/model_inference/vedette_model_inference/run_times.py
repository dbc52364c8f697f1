"""How long runs take and how many there are, for the model's status."""

from collections import deque
from statistics import median

_LAST_RUNS = 100
_WINDOW_S = 5.0


class RunTimes:
    """Durations of the last runs and the rate over the last seconds. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._durations: deque[tuple[float, int]] = deque(maxlen=_LAST_RUNS)
        self._rate_since: tuple[float, int] = (0.0, 0)
        self._rate: float | None = None

    def add(self, seconds: float, calls: int = 1) -> None:
        """Note a run, and how many calls it answered."""
        self._durations.append((seconds, calls))

    def median_ms(self) -> float | None:
        """Return the median duration of up to 100 runs, or None before the first."""
        durations = [seconds for seconds, _ in list(self._durations)]
        return round(median(durations) * 1000, 3) if durations else None

    def calls_per_run(self) -> float | None:
        """Return how many calls one run answered, mean of up to 100 runs, or None before the first."""
        runs = list(self._durations)
        return round(sum(calls for _, calls in runs) / len(runs), 2) if runs else None

    def calls_per_s(self, now: float, calls: int) -> float | None:
        """Return the rate over the last full window of 5 s, given the number of calls until ``now`` (seconds)."""
        since, before = self._rate_since
        if since == 0.0:
            self._rate_since = (now, calls)
        elif now - since >= _WINDOW_S:
            self._rate = round((calls - before) / (now - since), 2)
            self._rate_since = (now, calls)
        return self._rate
