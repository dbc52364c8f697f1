"""What the processes below one process take, and what folders and scratch file systems hold."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_MOST: Final = 20_000
_MEMORY: Final = ("RssAnon:", "VmSwap:", "RssShmem:")
_SHARED: Final = ("/memfd:", "/dev/zero", "/SYSV")
_LITTLE: Final = 8 << 20
"""Of shared memory so much is not looked into: that costs a millisecond for a large process."""
SCRATCH: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
"""File systems in memory that a sandbox has."""
INODE_BYTES: Final = 1024
"""What the kernel keeps in memory for a file of such a file system, however empty."""
_DISK_INODE_BYTES: Final = 512
"""What a file takes of a disk beside its blocks: 256 on ext4, 512 on XFS."""
_MAX_DEPTH: Final = 200
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def below(pid: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """Yield ``pid`` and every process that descends from it; what ends meanwhile is passed over."""
    waiting = [pid]
    seen = 0
    while waiting and seen < _MOST:
        current = waiting.pop()
        seen += 1
        yield current
        try:
            threads = list((proc / str(current) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                waiting += map(int, (thread / "children").read_text().split())
            except OSError:
                continue


def memory_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """Return what a process has in memory and swap of its own: neither files nor what others share with it.

    What it shares itself (``mmap`` of nothing, memfd) counts: by parts, where several processes have it.
    """
    try:
        lines = (proc / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    found = {name: int(line.split()[1]) << 10 for line in lines for name in _MEMORY if line.startswith(name)}
    shared, mapped = 0, frozenset[str]()
    if found.pop("RssShmem:", 0) > _LITTLE:
        shared, mapped = _shared_bytes(pid, proc)
    return sum(found.values()) + shared + _unmapped_bytes(pid, mapped, proc)


def _shared_bytes(pid: int, proc: Path) -> tuple[int, frozenset[str]]:
    """Return what the process has of memory that it shares for writing, and the inodes of what it has mapped."""
    taken, counts, inodes = 0, False, set[str]()
    with contextlib.suppress(OSError), (proc / str(pid) / "smaps").open(errors="replace") as lines:
        for line in lines:
            words = line.split(maxsplit=5)
            if len(words) == 6 and "-" in words[0]:
                counts = words[1].startswith("rw-s") and words[5].startswith(_SHARED)
                inodes.add(words[4])
            elif counts and words[0] == "Pss:":
                taken += int(words[1]) << 10
    return taken, frozenset(inodes)


def _unmapped_bytes(pid: int, mapped: frozenset[str], proc: Path) -> int:
    """Return what a process holds of memory by descriptors alone."""
    taken: dict[int, int] = {}
    with contextlib.suppress(OSError), os.scandir(proc / str(pid) / "fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if os.readlink(entry.path).startswith("/memfd:"):  # noqa: PTH115 - it names no file
                    status = entry.stat()
                    taken[status.st_ino] = status.st_blocks * 512
    return sum(size for inode, size in taken.items() if str(inode) not in mapped)


def scratch_bytes(pid: int, proc: Path = Path("/proc")) -> dict[str, int]:
    """Return what the scratch file systems of the sandbox at and below ``pid`` take of memory; empty without a sandbox.

    Files that are empty count as well: the kernel keeps each in memory.
    """
    for each in below(pid, proc):
        root = proc / str(each) / "root"
        try:
            if (root / "tmp").stat().st_dev == Path("/tmp").stat().st_dev:  # noqa: S108 - compared only
                continue  # what stands before the sandbox, or there is none
            found = {}
            for place in SCRATCH:
                status = os.statvfs(root / place[1:])
                taken = (status.f_blocks - status.f_bfree) * status.f_frsize
                found[place] = taken + (status.f_files - status.f_ffree) * INODE_BYTES
        except OSError:
            continue
        return found
    return {}


@dataclass
class Held:
    """What a folder holds."""

    bytes: int = 0
    """On the disk, with what files take that are empty."""
    files: int = 0
    too_deep: bool = False
    """Whether there are folders in it that are nested so deeply that they were not looked into."""
    listed: list[tuple[int, int, Path]] | None = None
    """Of each regular file, where they are asked for: when it was changed last (ns), what it takes, its path there."""


def held(folder: Path, *, listing: bool = False) -> Held:
    """Look through a folder that an application owns; links are not followed, what vanishes meanwhile is passed over.

    Each folder is opened from the one above it, so that none can be swapped for a link to elsewhere; one that its owner
    has closed to itself is opened again.
    """
    found = Held(listed=[] if listing else None)
    stack: list[_Open] = []
    try:
        with contextlib.suppress(OSError):
            _look_into(os.open(folder, _FOLDER), Path(), stack, found)
        while stack:
            fd, place, names = stack[-1]
            if not names:
                stack.pop()
                os.close(fd)
                continue
            name = names.pop()
            if len(stack) >= _MAX_DEPTH:
                found.too_deep = True
                continue
            with contextlib.suppress(OSError):
                _look_into(_open_folder(name, fd), place / name, stack, found)
    finally:
        for each in stack:
            os.close(each.fd)
    return found


class _Open(NamedTuple):
    """A folder that is being looked through."""

    fd: int
    place: Path
    """Below the first one."""
    names: list[str]
    """Folders in it that have not been looked into."""


def _look_into(fd: int, place: Path, stack: list[_Open], found: Held) -> None:
    names: list[str] = []
    stack.append(_Open(fd, place, names))
    with os.scandir(fd) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            found.bytes += status.st_blocks * 512 + _DISK_INODE_BYTES
            found.files += 1
            if stat.S_ISDIR(status.st_mode):
                names.append(entry.name)
            elif found.listed is not None and stat.S_ISREG(status.st_mode):
                size = max(status.st_blocks * 512, _DISK_INODE_BYTES)
                found.listed.append((status.st_mtime_ns, size, place / entry.name))


def _open_folder(name: str, above: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except PermissionError:
        closed = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            os.chmod(f"/proc/self/fd/{closed}", 0o700)  # noqa: PTH101 - through the descriptor, not by its path
        finally:
            os.close(closed)
        return os.open(name, _FOLDER, dir_fd=above)
