"""What processes use, out of /proc: CPU time, memory, and how busy the rest of the machine is."""

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Memory(NamedTuple):
    """Resident memory in MB. ``rss`` counts a page that processes share once for each, ``pss`` once in all."""

    rss_mb: float
    pss_mb: float


def family(pid: int) -> list[int]:
    """Return ``pid`` and the processes that descend from it."""
    parents = dict(_parents())
    members = [pid]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def command(pid: int) -> str:
    """Return a process's command line; empty when it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def cpu_s(pids: Collection[int]) -> float:
    """Return the CPU time that processes have used, with that of their children that ended and were waited for."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        total += sum(int(fields[index]) for index in (11, 12, 13, 14)) if fields else 0
    return total / _TICKS


def memory(pids: Collection[int]) -> Memory:
    """Return the memory of processes, summed."""
    rss = pss = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        rss += sizes["Rss"]
        pss += sizes["Pss"]
    return Memory(rss / 1024, pss / 1024)


def machine_cpu_s() -> float:
    """Return the CPU time that the whole machine was not idle, since boot; time stolen by its host included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(value) for value in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def wait_until_idle(load: float, patience_s: float) -> None:
    """Wait until the machine uses less than ``load`` cores over a second; at most ``patience_s``."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        began, busy = time.monotonic(), machine_cpu_s()
        time.sleep(1.0)
        if (machine_cpu_s() - busy) / (time.monotonic() - began) < load:
            return


def _parents() -> Iterator[tuple[int, int]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, the state first; none when the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
