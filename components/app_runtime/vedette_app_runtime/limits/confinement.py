"""How one run of an application is held within its limits: by the kernel where the host may ask it, else by looking."""

import contextlib
import logging
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.application import Limits
from vedette_app_runtime.limits.cgroups import Bounds, Group, make_group, remove_abandoned
from vedette_app_runtime.limits.usage import below, memory_bytes, scratch_bytes

logger = logging.getLogger(__name__)

_OOM_SCORE: Final = 500
"""When the machine's memory is used up, the kernel ends an application first, not what serves all of them."""
_MIB: Final = 1 << 20
_SCRATCH_SHARE: Final = 4
"""Part of the memory that each of an application's file systems in memory may take, where nothing else is said."""
_SCRATCH_BEYOND: Final = 1.25
"""Beyond its size one can only come by files that are empty, or where bubblewrap cannot give it a size."""


def scratch_size(limits: Limits) -> int:
    """Return how much of memory /tmp, /var/tmp and /dev/shm may take, each, in bytes."""
    if limits.scratch_mb is not None:
        return limits.scratch_mb * _MIB
    if limits.memory_mb is not None:
        return limits.memory_mb * _MIB
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SCRATCH_SHARE


@dataclass(frozen=True)
class Confinement:
    """What the application's first process does to itself before it becomes the application."""

    oom_score: int = _OOM_SCORE
    processors: tuple[int, ...] = ()
    """Numbers of the processors it may use; empty: all."""
    entrances: tuple[Path, ...] = ()
    """``cgroup.procs`` of its control groups."""
    scoped: bool = True
    """Whether the abstract Unix sockets of other programs are closed to it, where the kernel can do that."""

    def arguments(self) -> list[str]:
        """Return it as arguments of the launcher."""
        processors = ",".join(map(str, self.processors)) or "-"
        entrances = ":".join(map(str, self.entrances)) or "-"
        return [str(self.oom_score), processors, entrances, "scoped" if self.scoped else "-"]


class Confining:
    """Limits of one run."""

    def __init__(self, instance: str, limits: Limits, group: Group | None) -> None:
        self._limits = limits
        self._group = group
        self._instance = instance
        self._killed = 0 if group is None else group.killed_for_memory()
        bounded = frozenset() if group is None else group.controllers
        self._watch_memory = limits.memory_mb is not None and "memory" not in bounded
        self._watch_processes = "pids" not in bounded
        self._scratch = scratch_size(limits)
        processors: tuple[int, ...] = ()
        if limits.cpus is not None and "cpu" not in bounded:
            available = sorted(os.sched_getaffinity(0))
            # Always the same ones for an instance, and others for others.
            first = sum(instance.encode()) % len(available)
            count = min(len(available), math.ceil(limits.cpus))
            processors = tuple(available[(first + number) % len(available)] for number in range(count))
        self.confinement = Confinement(processors=processors, entrances=() if group is None else group.entrances)

    @classmethod
    def of(cls, instance: str, limits: Limits) -> "Confining":
        """Return the limits of a run that is about to start."""
        memory = None if limits.memory_mb is None else limits.memory_mb * _MIB
        remove_abandoned(instance)
        # Two instances of one name are usual on a developer's machine, and must not share their limits.
        group = make_group(f"{instance}-{os.getpid()}", Bounds(memory, limits.cpus, limits.processes))
        return cls(instance, limits, group)

    @property
    def words(self) -> str:
        """How the limits are kept, for the log."""
        kernel = sorted(self._group.controllers) if self._group is not None else []
        looked = [name for name, on in (("memory", self._watch_memory), ("processes", self._watch_processes)) if on]
        parts = [f"by control groups: {', '.join(kernel)}"] if kernel else []
        parts += [f"by looking once a second: {', '.join(looked)}"] if looked else []
        if self.confinement.processors:
            parts.append(f"processors {', '.join(map(str, self.confinement.processors))} only")
        return "; ".join(parts)

    def broken(self, pid: int) -> str | None:
        """Return what the processes at and below ``pid`` have too much of; None where the kernel takes care."""
        scratch = scratch_bytes(pid)
        for place, taken in scratch.items():
            if taken > self._scratch * _SCRATCH_BEYOND:
                return (
                    f"{place} took {taken >> 20} MB of memory, {self._scratch >> 20} MB are allowed (limits.scratchMB)"
                )
        processes = list(below(pid))
        _keep_first(processes)
        if not (self._watch_memory or self._watch_processes):
            return None
        if self._watch_processes and len(processes) > self._limits.processes:
            return f"it had {len(processes)} processes, {self._limits.processes} are allowed (limits.processes)"
        if self._watch_memory and self._limits.memory_mb is not None:
            used = sum(map(memory_bytes, processes)) + sum(scratch.values())
            if used > self._limits.memory_mb * _MIB:
                return self._too_much(f"{used >> 20} MB")
        return None

    def killed(self) -> str | None:
        """Return why the kernel has ended the application, if it was for its limits."""
        if self._group is not None and self._group.killed_for_memory() > self._killed:
            return self._too_much("more")
        return None

    def end(self) -> None:
        """Clear up after the run."""
        if self._group is not None:
            self._group.remove()

    def _too_much(self, used: str) -> str:
        return f"it took {used} of memory, {self._limits.memory_mb} MB are allowed (limits.memoryMB)"


def _keep_first(processes: Iterable[int], proc: Path = Path("/proc")) -> None:
    """Have the kernel end these first again: a process may lower its own score to what it was."""
    for pid in processes:
        path = proc / str(pid) / "oom_score_adj"
        with contextlib.suppress(OSError, ValueError):
            if int(path.read_text()) < _OOM_SCORE:
                path.write_text(str(_OOM_SCORE))
