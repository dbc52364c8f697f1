"""Reads logs for the page: applications' consoles, their files of /opt/aws/panorama/logs, and components' own events.

The applications' files are written by foreign code, which may put links, pipes and anything else into its folder: only
plain files are opened, links are not followed, nothing blocks, and what is read is bounded.
"""

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from vedette.log_events import Event
from vedette.plain_files import open_plain, plain_files
from vedette.redaction import redact

CONSOLE: Final = "console_output"
MOST_BYTES: Final = 256 * 1024
"""Of one answer."""
MOST_LINE: Final = 4000
MOST_FILES: Final = 50
APPLICATION: Final = "vedette.app."
"""What the names of applications' components begin with."""
_EVENTS: Final = "events"


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


class ComponentLogs:
    """``store``: folder of all components' work folders; an application's component is ``vedette.app.<instance>``."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def components(self) -> list[str]:
        """Return the components that keep events and are no application, by name."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._store) if entry.name.startswith("vedette."))
        except OSError:
            return []
        return [
            name for name in names if not name.startswith(APPLICATION) and _files(self._store / name / "logs", _EVENTS)
        ]

    def files(self, component: str) -> list[LogFile]:
        """Return the files that a component has written: an application's console first, others' events.

        :raises LogError: when there are none.
        """
        folder = self._folder(component)
        if component.startswith(APPLICATION):
            found = [*_files(folder, CONSOLE), *_files(folder / "application")]
        else:
            found = _files(folder, _EVENTS)
        if not found:
            raise LogError(f"{component.removeprefix(APPLICATION)} has logged nothing yet")
        return found[:MOST_FILES]

    def read(self, component: str, name: str, after: int | None) -> LogPart:
        """Return the last lines, or those after byte ``after``.

        :raises LogError: when the file is not one of :meth:`files`.
        """
        folder = self._folder(component)
        if name not in {file.name for file in self.files(component)}:
            raise LogError(f"{component.removeprefix(APPLICATION)} has no log called {name!r}")
        own = component.startswith(APPLICATION) and not name.startswith(CONSOLE)
        path = folder / "application" / name if own else folder / name
        try:
            opened = open_plain(path)
        except OSError as error:
            raise LogError(f"{name} cannot be read: {error.strerror or error}") from error
        with opened as file:
            size = os.fstat(file.fileno()).st_size
            # A file that is shorter than what was read of it was begun anew.
            asked = after if after is not None and after <= size else 0
            start = max(asked, size - MOST_BYTES)
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
        if not component.startswith(APPLICATION):
            lines = [_said(line) for line in lines]
        return LogPart([redact(line[:MOST_LINE]) for line in lines], start + whole, start - asked)

    def _folder(self, component: str) -> Path:
        if "/" in component or "\0" in component or not component.startswith("vedette."):
            raise LogError(f"there is no component {component[:80]!r}")
        return self._store / component / "logs"


def _said(line: str) -> str:
    """Return an event as a component prints it."""
    try:
        event = Event.decode(line)
    except ValueError:
        return line
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.at)) + f".{int(event.at % 1 * 1000):03d}Z"
    return f"{at} {event.level} {event.logger} {event.message}"


def _files(folder: Path, prefix: str = "") -> list[LogFile]:
    try:
        found = [LogFile(name, facts.st_size, facts.st_mtime) for name, facts in plain_files(folder)]
    except OSError:
        return []
    return sorted((file for file in found if file.name.startswith(prefix)), key=lambda file: file.name)
