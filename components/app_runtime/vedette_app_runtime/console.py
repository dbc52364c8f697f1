"""What an application prints: kept in a file that cannot grow, and its last lines at hand for the reason of an exit."""

import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
_TAIL_LINES: Final = 200
_MAX_LINE_CHARACTERS: Final = 2_000
_CHUNK_BYTES: Final = 65536


class ConsoleLog:
    """``<folder>/console_output`` and one older ``console_output.1``, together at most twice ``max_bytes``.

    A disk that is full or gone costs lines, not the application: they are counted in ``lost_bytes``.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self.path = folder / "console_output"
        self.lost_bytes = 0
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._partial = b""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, data: bytes) -> None:
        """Append what the application wrote."""
        with self._lock:
            self._remember(data)
            try:
                size = self.path.stat().st_size if self.path.exists() else 0
                if size and size + len(data) > self._max_bytes:
                    self.path.replace(self.path.with_name("console_output.1"))
                with self.path.open("ab") as file:
                    file.write(data)
            except OSError as error:
                if not self.lost_bytes:
                    logger.warning("cannot write the application's console to %s: %s", self.path, error.strerror)
                self.lost_bytes += len(data)

    def begin(self) -> None:
        """Forget the last lines: a new process starts."""
        with self._lock:
            self._tail.clear()
            self._partial = b""

    def last_lines(self) -> list[str]:
        """Return the last lines since :meth:`begin`, oldest first."""
        with self._lock:
            rest = [self._partial.decode(errors="replace")] if self._partial else []
            return [*self._tail, *rest]

    def pump(self, fd: int) -> None:
        """Write what comes from ``fd`` until its end, then close it; the body of a thread."""
        try:
            while data := os.read(fd, _CHUNK_BYTES):
                self.write(data)
        finally:
            os.close(fd)

    def _remember(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-_MAX_LINE_CHARACTERS:]
        self._tail.extend(line[:_MAX_LINE_CHARACTERS].decode(errors="replace").rstrip("\r") for line in lines)
