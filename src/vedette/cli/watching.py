"""Notices that files of a project were saved: by looking, ten times a second, at their sizes and times."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from vedette.cli.session import STATE_FOLDER

_IGNORED: Final = frozenset({STATE_FOLDER, "__pycache__", ".git", ".idea", ".vscode", ".venv", "node_modules"})
_REST: Final = 9
"""For each time that looking takes, so many times are left to others."""
_MOST_FILES: Final = 5_000
"""Beyond it looking would cost more than it is worth; what comes after is not looked at."""


class ProjectWatch:
    """Tells which files of ``folder`` have changed since it was asked the last time."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._next_at = 0.0
        self._seen = self._look()

    def changed(self) -> list[str]:
        """Return the paths, relative to the folder, that were saved, added or removed since the last call.

        Looking takes at most a tenth of the time: in a great project not every call looks.
        """
        began = self._clock()
        if began < self._next_at:
            return []
        now = self._look()
        ended = self._clock()
        self._next_at = ended + (ended - began) * _REST
        before, self._seen = self._seen, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> Mapping[str, tuple[int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if name not in _IGNORED]
            for name in files:
                # Editors write beside and rename; what they write beside is not the project's.
                if name.endswith(("~", ".swp", ".swx", ".tmp", ".pyc")) or name.startswith(".#"):
                    continue
                path = Path(folder) / name
                try:
                    status = path.stat()
                except OSError:
                    continue
                key = str(path.relative_to(self._folder))
                found[key] = (status.st_mtime_ns, status.st_size, status.st_ino)
                if len(found) >= _MOST_FILES:
                    return found
        return found
