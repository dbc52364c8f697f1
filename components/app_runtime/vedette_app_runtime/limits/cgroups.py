"""A control group of the application's own, where this host may make one.

As root that works in version 1 and 2 of control groups; as another user where systemd has delegated a group of version
2. Elsewhere the host looks instead: see :mod:`vedette_app_runtime.limits.confinement`.
"""

import contextlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_MOUNT: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 100_000
_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class Bounds:
    """What a group is made with; None: no bound."""

    memory_bytes: int | None
    cpus: float | None
    processes: int | None

    def version_2(self) -> Mapping[str, str]:
        """Return files and values of a version 2 group."""
        values: dict[str, str] = {}
        if self.memory_bytes is not None:
            values |= {"memory.max": str(self.memory_bytes), "memory.oom.group": "1"}
        if self.cpus is not None:
            values["cpu.max"] = f"{int(self.cpus * _PERIOD_US)} {_PERIOD_US}"
        if self.processes is not None:
            values["pids.max"] = str(self.processes)
        return values

    def version_1(self) -> Mapping[str, Mapping[str, str]]:
        """Return files and values of version 1 groups, by controller."""
        values: dict[str, Mapping[str, str]] = {}
        if self.memory_bytes is not None:
            values["memory"] = {"memory.limit_in_bytes": str(self.memory_bytes)}
        if self.cpus is not None:
            period, quota = str(_PERIOD_US), str(int(self.cpus * _PERIOD_US))
            values["cpu"] = {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}
        if self.processes is not None:
            values["pids"] = {"pids.max": str(self.processes)}
        return values


@dataclass(frozen=True)
class Group:
    """The group (version 2), or one for each controller (version 1)."""

    folders: tuple[Path, ...]
    controllers: frozenset[str]
    """What is bounded by it: memory, cpu, pids."""

    @property
    def entrances(self) -> tuple[Path, ...]:
        """Files that a process writes 0 into to be in the group."""
        return tuple(folder / "cgroup.procs" for folder in self.folders)

    def killed_for_memory(self) -> int:
        """Return how often the kernel has ended a process of the group because it had no more memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError, ValueError):
                    for line in (folder / name).read_text().splitlines():
                        if line.startswith("oom_kill "):
                            return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Remove the group; one that still has a process stays, and is used again."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def remove_abandoned(
    name: str, mount: Path = _MOUNT, own: Path = Path("/proc/self/cgroup"), proc: Path = Path("/proc")
) -> None:
    """Remove the empty groups of hosts of ``name`` that were killed: groups are called ``<name>-<process id>``."""
    try:
        delegated = mount / _own_groups(own).get("", "/").lstrip("/")
    except OSError:
        delegated = mount
    own_name = f"vedette-{_NAME.sub('-', name)}"
    for parent in {mount, delegated, *(mount / controller for controller in ("memory", "cpu", "pids"))}:
        for folder in parent.glob(f"{own_name}-*"):
            stem, _, number = folder.name.rpartition("-")
            # One whose host lives may be empty for a moment: before its application is in it, and after that has ended.
            if stem == own_name and number.isdigit() and not (proc / number).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def make_group(name: str, bounds: Bounds, mount: Path = _MOUNT, own: Path = Path("/proc/self/cgroup")) -> Group | None:
    """Make the group called ``name``, as far as this host may; None where it may not at all, or nothing is bounded."""
    name = "vedette-" + _NAME.sub("-", name)
    try:
        places = _own_groups(own)
    except OSError:
        return None
    return _version_2(name, bounds.version_2(), mount, places) or _version_1(name, bounds.version_1(), mount)


def _own_groups(path: Path) -> dict[str, str]:
    """Return the group that this process is in, by controllers ("" for version 2)."""
    found = {}
    for line in path.read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        found[controllers] = place
    return found


def _version_2(name: str, values: Mapping[str, str], mount: Path, places: Mapping[str, str]) -> Group | None:
    if not values or not (mount / "cgroup.controllers").exists():
        return None
    wanted = {file.split(".")[0] for file in values}
    # Root's own place first, then one that was delegated to this process.
    for parent in (mount, mount / places.get("", "/").lstrip("/")):
        folder = parent / name
        try:
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in sorted(wanted)))
            folder.mkdir(exist_ok=True)
            given = (folder / "cgroup.controllers").read_text().split()
            if not wanted & set(given):
                folder.rmdir()
                continue
            if not os.access(folder / "cgroup.procs", os.W_OK):
                continue
        except OSError:
            continue
        return _fill(folder, {f: v for f, v in values.items() if f.split(".")[0] in given})
    return None


def _fill(folder: Path, values: Mapping[str, str]) -> Group | None:
    done: set[str] = set()
    for file, value in values.items():
        try:
            (folder / file).write_text(value)
        except OSError as error:
            logger.debug("%s: %s", folder / file, error)
            continue
        done.add(file.split(".")[0])
    return Group((folder,), frozenset(done)) if done else None


def _version_1(name: str, values: Mapping[str, Mapping[str, str]], mount: Path) -> Group | None:
    folders: list[Path] = []
    done: set[str] = set()
    for controller, files in values.items():
        folder = mount / controller / name
        try:
            folder.mkdir(exist_ok=True)
            for file, value in files.items():
                (folder / file).write_text(value)
        except OSError as error:
            logger.debug("%s: %s", folder, error)
            continue
        folders.append(folder)
        done.add(controller)
    return Group(tuple(folders), frozenset(done)) if folders else None
