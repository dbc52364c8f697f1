"""Which log files there are below a nucleus's root, and reading them without being led astray.

The folders are filled by applications, which are foreign code: links are not followed, pipes and sockets not opened,
numbers and depths bounded.
"""

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from vedette.application.log_streams import CONSOLE_OUTPUT, LogStreams
from vedette.plain_files import plain_files

logger = logging.getLogger(__name__)

MAX_FILES: Final = 3000
_MAX_DEPTH: Final = 3
_COMPONENT: Final = "vedette."
_APPLICATION: Final = "vedette.app."
Kind = Literal["events", "console", "files", "nucleus"]


@dataclass(frozen=True)
class LogFile:
    """A file as it was found. ``path`` is relative to ``folder``."""

    kind: Kind
    component: str
    folder: Path
    path: str
    inode: int
    size: int
    changed: float

    @property
    def key(self) -> str:
        """What it goes by when it is renamed."""
        return f"{self.component}/{self.kind}/{self.inode}"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.component}/{self.path}"


class LogFolders:
    """The log files below a root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._said: set[str] = set()

    def find(self) -> list[LogFile]:
        """Return every log file; what cannot be looked at is logged once."""
        found: list[LogFile] = []
        for component in self._components():
            folder = self._root / "work" / component / "logs"
            for file in self._of(component, folder):
                if len(found) >= MAX_FILES:
                    self._say("many", "there are more than %d log files: the others are not sent", MAX_FILES)
                    return found
                found.append(file)
        # On most devices it is root's alone.
        for name in ("greengrass.log", "nucleus.log"):
            found += self._listed("nucleus", "", self._root / "logs", only=name)
        return found

    def streams(self) -> dict[str, LogStreams]:
        """Return the streams of each application's component."""
        return {
            component: LogStreams.read(self._root / "work" / component / "logs", component)
            for component in self._components()
            if component.startswith(_APPLICATION)
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of the components without a process, as their links say."""
        found: dict[str, str] = {}
        for component in self._components():
            try:
                parts = (self._root / "work" / component / "current").readlink().parts
            except OSError:
                continue
            if component in parts[:-1]:
                found[component] = parts[parts.index(component) + 1]
        return found

    def _components(self) -> list[str]:
        try:
            return sorted(path.name for path in (self._root / "work").iterdir() if path.name.startswith(_COMPONENT))
        except OSError as error:
            self._say("work", "logs cannot be found in %s: %s", self._root / "work", error.strerror)
            return []

    def _of(self, component: str, folder: Path) -> Iterator[LogFile]:
        for file in self._listed("events", component, folder):
            if file.path.startswith("events.") and file.path.endswith((".jsonl", ".jsonl.1")):
                yield file
            elif component.startswith(_APPLICATION) and file.path in {CONSOLE_OUTPUT, f"{CONSOLE_OUTPUT}.1"}:
                yield LogFile("console", *list(vars(file).values())[1:])
        if component.startswith(_APPLICATION):
            yield from self._below(component, folder / "application", "")

    def _below(self, component: str, folder: Path, under: str) -> Iterator[LogFile]:
        yield from self._listed("files", component, folder, under=under)
        if under.count("/") < _MAX_DEPTH:
            for name in self._folders(folder / under):
                yield from self._below(component, folder, f"{under}{name}/")

    def _folders(self, folder: Path) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))[:100]
        except OSError:
            return []

    def _listed(
        self, kind: Kind, component: str, folder: Path, *, under: str = "", only: str | None = None
    ) -> Iterator[LogFile]:
        try:
            for name, status in plain_files(folder / under):
                if only is None or name == only:
                    path = under + name
                    yield LogFile(kind, component, folder, path, status.st_ino, status.st_size, status.st_mtime)
        except FileNotFoundError:
            return
        except OSError as error:
            if only is None:
                words = "the logs of %s cannot be read (%s): it runs as another user than vedette.DeviceMonitor"
                self._say(str(folder), words, component, error.strerror)

    def _say(self, what: str, words: str, *arguments: object) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.warning(words, *arguments)


def open_file(file: LogFile) -> int | None:
    """Return a descriptor of the file that was found, None when it is another one by now or cannot be read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    *folders, name = file.path.split("/")
    at = None
    try:
        at = os.open(file.folder, flags | os.O_DIRECTORY)
        for folder in folders:
            deeper = os.open(folder, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = deeper
        fd = os.open(name, flags | os.O_NONBLOCK, dir_fd=at)
    except OSError:
        return None
    finally:
        if at is not None:
            os.close(at)
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_ino == file.inode:
        return fd
    os.close(fd)
    return None
