"""The root folder of a nucleus: its parts, and the lock that lets one nucleus at a time run on it."""

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

from vedette.nucleus.errors import NucleusError, RootInUseError

_LOCK_WAIT_S: Final = 8.0
"""The guard of a nucleus that was killed holds the lock while it cleans up."""
_POLL_S: Final = 0.05


class Root:
    """``packages`` (component store), ``work``, ``logs``, ``shadows``, ``state`` below one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.work = self.path / "work"
        self.logs = self.path / "logs"
        self.shadows = self.path / "shadows"
        self.state = self.path / "state"
        self._descriptor: int | None = None

    def open(self) -> int:
        """Make the folders and take the lock; return the descriptor that holds it.

        :raises RootInUseError: if another nucleus runs on this root
        :raises NucleusError: if the folders cannot be made
        """
        try:
            for folder in (self.path, self.work, self.logs, self.shadows):
                folder.mkdir(mode=0o755 if folder == self.path else 0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NucleusError(f"root folder {self.path} cannot be used: {error.strerror}") from error
        begun = time.monotonic()
        while not _lock(descriptor):
            if time.monotonic() - begun > _LOCK_WAIT_S:
                os.close(descriptor)
                raise RootInUseError(f"another nucleus runs on {self.path}; stop it, or give this one another folder")
            threading.Event().wait(_POLL_S)
        self._descriptor = descriptor
        return descriptor

    def close(self) -> None:
        """Give the lock back (a guard that still cleans up keeps it until it has ended)."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
