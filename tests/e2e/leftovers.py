"""What a run may leave behind on a machine: processes, sockets, mounts, folders, shared memory."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import psutil

from vedette.nucleus.guard_process import find, run_marker


class Leftovers:
    """Looks for what is left of one run; to be made before the run begins."""

    def __init__(self) -> None:
        self._shared_memory = _names_in_shared_memory()
        self._mounts = _mounts()
        self._processes: list[psutil.Process] = []
        self._folder: Path | None = None
        self._root: Path | None = None

    def note(self, folder: Path, root: Path, processes: Iterable[psutil.Process]) -> None:
        """Remember what the running suite consists of."""
        self._folder, self._root = folder, root
        self._processes = list(processes)

    def found(self) -> list[str]:
        """Return what is left, for people; empty when nothing is."""
        assert self._folder is not None, "nothing was noted while the suite ran"
        assert self._root is not None
        left = [f"process {process.pid}" for process in self._processes if _runs(process)]
        left += [f"marked process {known.pid}" for known in find(run_marker(self._folder.name), {})]
        # os.walk passes over what goes away meanwhile; rglob fails on it.
        files = (Path(place, name) for place, _, names in os.walk(self._root) for name in names)
        left += [f"socket {path}" for path in files if _is_socket(path)]
        left += [f"mount {mount}" for mount in _mounts() - self._mounts]
        left += [f"shared memory {name}" for name in _names_in_shared_memory() - self._shared_memory]
        if self._folder.exists():
            left.append(f"run folder {self._folder}")
        return left


def _runs(process: psutil.Process) -> bool:
    try:
        # psutil compares the start time, so that a number given to somebody else is not taken for it.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _names_in_shared_memory() -> set[str]:
    # A browser that is still open keeps its own files there.
    return {path.name for path in Path("/dev/shm").iterdir() if "chromium" not in path.name}


def _mounts() -> set[str]:
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
