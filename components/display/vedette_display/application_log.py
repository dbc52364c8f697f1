"""Reads what applications log, for the page: the console, and the files of /opt/aws/panorama/logs.

The files are written by foreign code, which may put links, pipes and anything else into its folder: only plain files
are opened, links are not followed, nothing blocks, and what is read is bounded.
"""

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from vedette.redaction import redact

CONSOLE: Final = "console_output"
MOST_BYTES: Final = 256 * 1024
"""Of one answer."""
MOST_LINE: Final = 4000
MOST_FILES: Final = 50


class LogError(Exception):
    """A log cannot be read; says why."""


class LogFile(NamedTuple):
    """A file. ``modified``: Unix time, s."""

    name: str
    size: int
    modified: float


class LogPart(NamedTuple):
    """Whole lines of a file. ``next``: where to go on; ``skipped``: bytes before them that were left out."""

    lines: list[str]
    next: int
    skipped: int


class ApplicationLogs:
    """``store``: folder of all components' work folders, where each application has its own."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def files(self, instance: str) -> list[LogFile]:
        """Return the files that an application has written, the console first.

        :raises LogError: when there is no such application.
        """
        folder = self._folder(instance)
        found = [*_files(folder, CONSOLE), *_files(folder / "application")]
        if not found:
            raise LogError(f"{instance} has logged nothing yet")
        return found[:MOST_FILES]

    def read(self, instance: str, name: str, after: int | None) -> LogPart:
        """Return the last lines, or those after byte ``after``.

        :raises LogError: when the file is not one of :meth:`files`.
        """
        folder = self._folder(instance)
        if name not in {file.name for file in self.files(instance)}:
            raise LogError(f"{instance} has no log called {name!r}")
        path = folder / name if name.startswith(CONSOLE) else folder / "application" / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise LogError(f"{name} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise LogError(f"{name} is no plain file")
            # A file that is shorter than what was read of it was begun anew.
            asked = after if after is not None and after <= facts.st_size else 0
            start = max(asked, facts.st_size - MOST_BYTES)
            file.seek(start)
            data = file.read(MOST_BYTES)
        if start > asked or (after is None and start > 0):
            cut = data.find(b"\n") + 1
            start, data = start + cut, data[cut:]
        # What has no end yet is told with the next part.
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) >= MOST_LINE:
            whole = len(data)
        lines = data[:whole].decode(errors="replace").splitlines()
        return LogPart([redact(line[:MOST_LINE]) for line in lines], start + whole, start - asked)

    def _folder(self, instance: str) -> Path:
        if not instance or "/" in instance or "\0" in instance or instance.startswith("."):
            raise LogError(f"there is no application {instance[:80]!r}")
        return self._store / f"vedette.app.{instance}" / "logs"


def _files(folder: Path, prefix: str = "") -> list[LogFile]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if entry.name.startswith(prefix) and stat.S_ISREG(facts.st_mode):
                    found.append(LogFile(entry.name, facts.st_size, facts.st_mtime))
    except OSError:
        return []
    return sorted(found, key=lambda file: file.name)
