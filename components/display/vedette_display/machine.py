"""Facts of the device for the page's bar."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

READ_S: Final = 1.0


class MachineFacts(NamedTuple):
    """``cpu_percent``: of all cores together since the last reading; memory and disk in bytes; None where not known.

    The disk is the one with the work folder, where recordings and what applications keep lie.
    """

    cpu_percent: float | None
    memory_used: int | None
    memory_total: int | None
    disk_free: int | None = None
    disk_total: int | None = None


def device_name() -> str:
    """Return the thing's name where the nucleus tells it, else the host's."""
    return os.environ.get("AWS_IOT_THING_NAME") or socket.gethostname()


class Machine:
    """Reads /proc, once a second however often it is asked: over less time the share of the CPU is noise."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        monotonic: Callable[[], float] = time.monotonic,
        work: Path = Path(),
    ) -> None:
        self._proc = proc
        self._work = work
        self._monotonic = monotonic
        self._facts: tuple[float, MachineFacts] | None = None
        self._last: tuple[int, int] | None = None

    def read(self) -> MachineFacts:
        """Return the present; the first reading has no CPU share yet."""
        now = self._monotonic()
        if self._facts is None or now - self._facts[0] >= READ_S:
            self._facts = now, MachineFacts(self._cpu(), *self._memory(), *self._disk())
        return self._facts[1]

    def _cpu(self) -> float | None:
        try:
            ticks = [int(word) for word in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        total, idle = sum(ticks), ticks[3] + ticks[4]
        last, self._last = self._last, (total, idle)
        if last is None or total <= last[0]:
            return None
        return round(100.0 * (1 - (idle - last[1]) / (total - last[0])), 1)

    def _memory(self) -> tuple[int | None, int | None]:
        try:
            lines = (line.split() for line in (self._proc / "meminfo").read_text().splitlines())
            kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) >= 2}
            total, free = kilobytes["MemTotal"] * 1024, kilobytes["MemAvailable"] * 1024
        except (OSError, ValueError, KeyError):
            return None, None
        return total - free, total

    def _disk(self) -> tuple[int | None, int | None]:
        try:
            disk = os.statvfs(self._work)
        except OSError:
            return None, None
        # What is kept back for root is of no use to the components' user.
        return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
