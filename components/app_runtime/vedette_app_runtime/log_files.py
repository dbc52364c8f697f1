"""What an application wrote into its own log files lately.

Published applications catch everything, log it to ``/opt/aws/panorama/logs/app.log`` and end with exit code 0: only
there the reason is to be found. The folder is the application's to fill: links are not followed, and neither pipes nor
great files hold up the host.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from vedette.plain_files import open_plain, plain_files

_MAX_FILES: Final = 200
_MAX_READ: Final = 5
_TAIL_BYTES: Final = 65536


class _Found(NamedTuple):
    name: str
    size: int
    changed_ns: int


class LogFiles:
    """The log files of one application, in ``folder``; those in folders below it are not looked at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def begin(self) -> None:
        """Remember what is there: a new process starts."""
        self._sizes = {file.name: file.size for file in self._files()}

    def new_lines(self) -> dict[str, list[str]]:
        """Return the last lines written since :meth:`begin` by file name, the file changed last coming first."""
        found: dict[str, list[str]] = {}
        grown = [file for file in self._files() if file.size != self._sizes.get(file.name)]
        for file in sorted(grown, key=lambda file: -file.changed_ns)[:_MAX_READ]:
            # A file that is smaller than before is a new one of the same name.
            before = self._sizes.get(file.name, 0)
            text = self._read(file.name, max(before if before < file.size else 0, file.size - _TAIL_BYTES))
            if text.strip():
                found[file.name] = text.splitlines()
        return found

    def _files(self) -> Iterator[_Found]:
        try:
            for name, status in plain_files(self._folder, _MAX_FILES):
                yield _Found(name, status.st_size, status.st_mtime_ns)
        except OSError:
            return

    def _read(self, name: str, start: int) -> str:
        try:
            # It may have become a link or a pipe meanwhile: neither is followed or waited for.
            with open_plain(self._folder / name) as file:
                return os.pread(file.fileno(), _TAIL_BYTES, start).decode(errors="replace")
        except OSError:
            return ""
