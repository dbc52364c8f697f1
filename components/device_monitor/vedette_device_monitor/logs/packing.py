"""Events -> requests of PutLogEvents, within the service's limits. No I/O.

Limits: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

MAX_EVENTS: Final = 10_000
"""In a request."""
MAX_BYTES: Final = 1_048_576
"""In a request: of texts in UTF-8, and 26 for each."""
EVENT_BYTES: Final = 26
MAX_TEXT_BYTES: Final = 256 * 1024 - EVENT_BYTES
SPAN_MS: Final = 24 * 3600 * 1000 - 1000
"""Between the first and last event of a request."""
OLDEST_S: Final = 14 * 86400 - 600.0
NEWEST_S: Final = 2 * 3600 - 600.0
"""How far events may lie in the past and in the future, with ten minutes for the way."""


class LogEvent(NamedTuple):
    """One event: Unix time in ms, and its text, which is not empty."""

    time_ms: int
    text: str

    @property
    def size(self) -> int:
        """Bytes that count in a request."""
        return len(self.text.encode()) + EVENT_BYTES


def requests(events: Sequence[LogEvent]) -> Iterator[list[LogEvent]]:
    """Give out the events in as many requests as the limits ask for; in the order of their times, as within a request
    they have to be.
    """
    request: list[LogEvent] = []
    size = 0
    for event in sorted(events, key=lambda event: event.time_ms):
        full = size + event.size > MAX_BYTES or len(request) >= MAX_EVENTS
        if request and (full or event.time_ms - request[0].time_ms > SPAN_MS):
            yield request
            request, size = [], 0
        request.append(event)
        size += event.size
    if request:
        yield request


def sendable(events: Sequence[LogEvent], now: float) -> list[LogEvent]:
    """Return the events that the service takes at a Unix time."""
    oldest, newest = (now - OLDEST_S) * 1000, (now + NEWEST_S) * 1000
    return [event for event in events if oldest <= event.time_ms <= newest]
