"""The machine's own figures, from /proc and /sys."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """Percentages of 100, bytes, degrees Celsius; None where the machine does not tell."""

    cpu: float | None
    memory: float | None
    memory_used: int | None
    disk: float | None
    disk_free: int | None
    temperature: float | None


class Machine:
    """Reads the figures of this machine; ``proc`` and ``sys`` are other folders in tests."""

    def __init__(self, disk: Path, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        """``disk``: a folder on the file system to tell of."""
        self._disk = disk
        self._proc = proc
        self._sys = sys
        self._cpu = self._cpu_times()

    def figures(self) -> Figures:
        """Return the figures of now; of the processor since the last call."""
        memory, used = self._memory()
        disk, free = self._disk_use()
        return Figures(self._cpu_use(), memory, used, disk, free, self._temperature())

    def boot(self) -> str:
        """Return which start of the machine this is."""
        with contextlib.suppress(OSError):
            return (self._proc / "sys/kernel/random/boot_id").read_text().strip()
        return ""

    @staticmethod
    def uptime() -> float:
        """Return the seconds since then, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def _cpu_times(self) -> tuple[int, int]:
        """Return (idle, all) in ticks."""
        try:
            numbers = [int(word) for word in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return 0, 0
        return (numbers[3] + numbers[4], sum(numbers)) if len(numbers) == 8 else (0, 0)

    def _cpu_use(self) -> float | None:
        before, self._cpu = self._cpu, self._cpu_times()
        idle, total = self._cpu[0] - before[0], self._cpu[1] - before[1]
        return None if total <= 0 else max(0.0, min(100.0, 100.0 * (1 - idle / total)))

    def _memory(self) -> tuple[float | None, int | None]:
        try:
            lines = (self._proc / "meminfo").read_text().splitlines()
            kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[:60])}
            total, available = kilobytes["MemTotal"], kilobytes["MemAvailable"]
        except (OSError, ValueError, KeyError, IndexError):
            return None, None
        return 100.0 * (1 - available / total), (total - available) * 1024

    def _disk_use(self) -> tuple[float | None, int | None]:
        try:
            found = os.statvfs(self._disk)
        except OSError:
            return None, None
        used, usable = found.f_blocks - found.f_bfree, found.f_blocks - found.f_bfree + found.f_bavail
        return (100.0 * used / usable if usable else None), found.f_bavail * found.f_frsize

    def _temperature(self) -> float | None:
        hottest: float | None = None
        for file in sorted(self._sys.glob("class/thermal/thermal_zone*/temp"))[:32]:
            try:
                degrees = int(file.read_text()) / 1000
            except (OSError, ValueError):
                continue  # some zones are asleep
            if -40 < degrees < 150 and (hottest is None or degrees > hottest):
                hottest = degrees
        return hottest
