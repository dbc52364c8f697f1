"""Keeps an application's folders within their room.

An ordinary user cannot set a quota. So the host looks, and where there is no more room it takes the right to make files
larger away from the application's processes (RLIMIT_FSIZE of 0): a write fails with "File too large", everything else
goes on, and what the application removes makes room again. Old logs are removed by the host. Making empty files
cannot be forbidden: an application that goes on with that is ended.
"""

import contextlib
import ctypes
import logging
import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vedette.application import Limits
from vedette_app_runtime.limits.usage import Held, below, held

logger = logging.getLogger(__name__)

_PERIOD_S: Final = 1.0
_SHARE: Final = 20
"""Looking takes at most one part of so many of the time: folders of many files are looked at less often."""
_AGAIN: Final = 0.95
"""A folder that was full has room again below this share of its limit."""
_MORE_FILES: Final = 10_000
"""Who makes so many, though it cannot write, makes them without end."""
_FREE_FILES_SHARE: Final = 0.03
"""Of all the files that a disk can hold, so many stay free."""
_OWN_FILES_SHARE: Final = 0.05
"""Who holds a smaller part of a disk's files is not why it is full."""
_PUNCH_HOLE: Final = 3
"""FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE of fallocate(2)."""
_MIB: Final = 1 << 20

Free = Callable[[Path], int]
Files = Callable[[Path], tuple[int, int]]


def free_bytes(folder: Path) -> int:
    """Return what an ordinary user may still write to the disk of ``folder``."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def disk_files(folder: Path) -> tuple[int, int]:
    """Return how many files the disk of ``folder`` can hold, and how many more of them; (0, 0): there is no limit."""
    status = os.statvfs(folder)
    return status.f_files, status.f_favail


class DiskKeeper:
    """Watches the folders of one application in a thread of its own until ``stop``."""

    def __init__(
        self,
        storage: Path,
        logs: Path,
        stop: threading.Event,
        *,
        free: Free = free_bytes,
        files: Files = disk_files,
        period_s: float = _PERIOD_S,
    ) -> None:
        self.held: str | None = None
        """Why the application may not make files larger at present."""
        self.excess: str | None = None
        """Why it is to be ended: it takes more and more, though it may not write."""
        self.limits = Limits()
        self._storage = storage
        self._logs = logs
        self._stop = stop
        self._files_held = 0
        """How many files the storage had when writing was forbidden."""
        self._free = free
        self._files = files
        self._period_s = period_s
        self._process: Callable[[], int | None] = lambda: None
        self._thread: threading.Thread | None = None

    def begin(self, limits: Limits, process: Callable[[], int | None]) -> None:
        """Keep to these limits from now on; ``process`` gives the process above all of the application's."""
        self.limits, self._process, self.excess = limits, process, None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()

    def look(self) -> None:
        """Look once."""
        storage, logs = held(self._storage), held(self._logs, listing=True)
        self._prune(logs.listed or [])
        reason = self._reason(storage)
        if reason != self.held:
            if reason is None:
                logger.info("the application may write again")
            elif self.held is None:
                self._files_held = storage.files
                logger.error("%s", reason)
            self.held = reason
        self.excess = self._excess(storage, logs)
        # Again each time: processes come and go.
        pid = self._process()
        if pid is not None:
            for each in below(pid):
                _hold(each, held=reason is not None)

    def _excess(self, storage: Held, logs: Held) -> str | None:
        if storage.too_deep or logs.too_deep:
            return "its storage or logs have folders that are nested too deeply to be measured"
        if self.held is not None and storage.files > self._files_held + _MORE_FILES:
            return f"it makes files without end ({storage.files}), though {self.held}"
        with contextlib.suppress(OSError):
            total, free = self._files(self._storage)
            if free < total * _FREE_FILES_SHARE and storage.files > total * _OWN_FILES_SHARE:
                return f"the disk can hold {free} more files, and its storage has {storage.files}"
        return None

    def _reason(self, storage: Held) -> str | None:
        limits = self.limits
        before = self.held is not None
        if limits.storage_mb is not None:
            used, most = storage.bytes, limits.storage_mb * _MIB
            if used > most * (_AGAIN if before else 1):
                return (
                    f"its storage is full: {used >> 20} MB of {limits.storage_mb} MB (limits.storageMB); "
                    "it cannot write until it removes something"
                )
        with contextlib.suppress(OSError):
            free, least = self._free(self._storage), limits.free_disk_mb * _MIB
            if free < least * (2 - _AGAIN if before else 1):
                return (
                    f"the disk is full: {free >> 20} MB are free, {limits.free_disk_mb} MB stay free "
                    "(limits.freeDiskMB); the application cannot write"
                )
        return None

    def _run(self) -> None:
        pause = self._period_s
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                self.look()
            except OSError:
                logger.exception("the application's folders cannot be looked at")
            pause = max(self._period_s, (time.monotonic() - began) * _SHARE)

    def _prune(self, files: list[tuple[int, int, Path]]) -> None:
        """Remove the oldest log files while there are too many; of the newest, only its oldest part."""
        most = self.limits.logs_mb * _MIB
        files.sort()
        total = sum(size for _, size, _ in files)
        gone = 0
        while total > most and gone < len(files) - 1:
            _, size, path = files[gone]
            with contextlib.suppress(OSError), _folder_of(self._logs, path) as folder_fd:
                os.unlink(path.name, dir_fd=folder_fd)
            total -= size
            gone += 1
        if gone:
            # Names are the application's: %r keeps them from being more than a name.
            last = files[gone - 1][2].name
            logger.warning("%d log files were removed, lastly %.200r: all may have %d MB", gone, last, most // _MIB)
        if total > most and files:
            path = files[-1][2]
            with contextlib.suppress(OSError), _folder_of(self._logs, path) as folder_fd:
                _cut_front(path.name, folder_fd, keep=most // 2)


def _hold(pid: int, *, held: bool) -> None:
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        wanted = 0 if held else hard
        if soft != wanted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (wanted, hard))


@contextlib.contextmanager
def _folder_of(root: Path, path: Path) -> Iterator[int]:
    """Open the folder of ``path`` below ``root``, whose owner may put a link to anywhere in place of each folder.

    :raises OSError: if it is not there any more, or is a link now
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(root, flags)
    try:
        for part in path.parts[:-1]:
            deeper = os.open(part, flags, dir_fd=fd)
            os.close(fd)
            fd = deeper
        yield fd
    finally:
        os.close(fd)


def _cut_front(name: str, folder: int, keep: int) -> None:
    """Free the disk of all but the last ``keep`` bytes of a file that is being written; positions in it stay.

    :raises OSError: if it cannot be opened: the application may have put a link or a pipe in its place
    """
    fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_size > keep:
            libc = ctypes.CDLL(None, use_errno=True)
            length = (status.st_size - keep) // 4096 * 4096
            if libc.fallocate(fd, _PUNCH_HOLE, ctypes.c_longlong(0), ctypes.c_longlong(length)):
                os.ftruncate(fd, 0)  # a file system without holes
            logger.warning("the beginning of the log file %.200r was removed: it is too large", name)
    finally:
        os.close(fd)
