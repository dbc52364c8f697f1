"""Whether the application's working loop still turns.

A sign of it is a get() of a video port, a put() or a call() that has returned, or a thread that waits in one of them.
An application that has never given one (a server without cameras) is not judged.
"""

from dataclasses import dataclass, field

from vedette_app_runtime import protocol


@dataclass
class Heartbeat:
    """Of one run; times are of a monotonic clock, s."""

    _signs: tuple[int, int, int] = (0, 0, 0)
    _at: float | None = field(default=None)

    def note(self, report: protocol.Report, now: float) -> None:
        """Take in a new report; one that was heard before says nothing of the present."""
        signs = (report.gets, report.puts, report.calls)
        if signs != self._signs or (report.waiting and any(signs)):
            self._signs, self._at = signs, now

    def silent_s(self, now: float) -> float:
        """Return for how long there was no sign; 0 when there has never been one."""
        return 0.0 if self._at is None else now - self._at
