"""Figures over the last seconds. No clock of its own: times are passed in, monotonic, in seconds."""

from collections import deque
from typing import Final

SPAN_S: Final = 10.0
RATE_SPAN_S: Final = 3.0
LEAST_RATE_SPAN_S: Final = 1.0
MOST: Final = 2048


class Window:
    """Keeps values for ``SPAN_S``."""

    def __init__(self) -> None:
        self._values: deque[tuple[float, float]] = deque(maxlen=MOST)

    def add(self, now: float, value: float) -> None:
        """Take in a value."""
        self._values.append((now, value))

    def percentile(self, now: float, part: float) -> float | None:
        """Return the value that ``part`` (0..1) of the last ``SPAN_S`` are not above; None without any."""
        values = sorted(value for at, value in self._values if now - at <= SPAN_S)
        return values[min(len(values) - 1, int(part * len(values)))] if values else None

    def rate(self, now: float) -> float | None:
        """Return values a second over the last ``RATE_SPAN_S``; None with fewer than two, and in the first second."""
        times = [at for at, _ in self._values if now - at <= RATE_SPAN_S]
        # The first pictures for a page come in one go: two of them would make a rate that no camera has.
        if len(times) < 2 or times[-1] <= times[0] or now - times[0] < LEAST_RATE_SPAN_S:
            return None
        # A stream that stopped counts down instead of keeping its last rate.
        span = max(times[-1] - times[0], (now - times[0]) * (len(times) - 1) / len(times))
        return (len(times) - 1) / span
