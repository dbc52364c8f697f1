"""How often a second something happens, over the last seconds."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = 5.0


@dataclass
class Rate:
    """The rate of a counter that only grows; a counter that fell has begun anew."""

    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, now: float, count: int) -> None:
        """Note the counter's value at a monotonic time, s."""
        if self._samples and count < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, count))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    def per_second(self) -> float | None:
        """Return the rate, or None before the second sample."""
        if len(self._samples) < 2:
            return None
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        return round((last - first) / (last_at - first_at), 2) if last_at > first_at else None
