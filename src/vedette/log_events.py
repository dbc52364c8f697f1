"""What a component logs, kept in its work folder as well: one JSON an event, with what it is about.

Where a nucleus puts what a component prints (a folder of root's, the journal) no other component may read it, and it
does not say which camera or model a line is about. So every process keeps its last events in a file of its own,
``<work>/logs/events.jsonl`` and one older ``events.jsonl.1``; vedette.DeviceMonitor sends them to the stream of the
node that they are about.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 2 * 1024 * 1024
_ABOUT: Final[ContextVar[str]] = ContextVar("about", default="")

CAMERA: Final = "camera"
"""Kinds of what an event may be about: a camera by its id,"""
MODEL: Final = "model"
"""a model by its id,"""
OUTPUT: Final = "output"
"""an output by its id, or all of an instance by ``<instance>.``,"""
STREAM: Final = "stream"
"""or simply the stream that it belongs into."""
OTA_LOG: Final = "ota_log"
"""The stream of software updates."""


@dataclass(frozen=True)
class Event:
    """One event. ``at``: Unix time, s; ``about``: ``<kind>:<name>``, or empty."""

    at: float
    level: str
    logger: str
    message: str
    about: str = ""

    def encode(self) -> bytes:
        """Return the event as a line."""
        document = {"at": round(self.at, 3), "level": self.level, "logger": self.logger, "message": self.message}
        if self.about:
            document["about"] = self.about
        return json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n"

    @classmethod
    def decode(cls, line: str) -> "Event":
        """Read a line.

        :raises ValueError: if it is none
        """
        try:
            document = json.loads(line)
            return cls(
                float(document["at"]),
                str(document["level"]),
                str(document["logger"]),
                str(document["message"]),
                str(document.get("about", "")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no event") from error

    @property
    def line(self) -> str:
        """The event as people read it: time, level, where, message."""
        moment = datetime.fromtimestamp(self.at, timezone.utc).isoformat(timespec="milliseconds")
        return f"{moment.replace('+00:00', 'Z')} {self.level} {self.logger} {self.message}"

    @property
    def subject(self) -> tuple[str, str]:
        """(kind, name) of what it is about; two empty texts where that is not said."""
        kind, _, name = self.about.partition(":")
        return kind, name


def about(kind: str, name: str) -> dict[str, str]:
    """Return what ``extra`` of a logging call is given: ``logger.info("...", extra=about(CAMERA, camera_id))``."""
    return {"about": f"{kind}:{name}"}


@contextlib.contextmanager
def speaking_of(kind: str, name: str) -> Iterator[None]:
    """Have every event of this thread be about something, until the end of the block."""
    token = _ABOUT.set(f"{kind}:{name}")
    try:
        yield
    finally:
        _ABOUT.reset(token)


class EventFile(logging.Handler):
    """Keeps the events of one process in ``path`` and one older file, together at most twice ``max_bytes``.

    A disk that is full or gone costs events, not the component: they are counted in ``lost``.
    """

    def __init__(self, path: Path, *, always_about: str = "", max_bytes: int = MAX_FILE_BYTES) -> None:
        """``always_about``: what the events of this process are about that do not say so themselves."""
        super().__init__()
        self.lost = 0
        self._path = path
        self._always_about = always_about
        self._max_bytes = max_bytes
        self._file_lock = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        event = Event(
            record.created,
            record.levelname,
            record.name,
            self.format(record),
            getattr(record, "about", "") or _ABOUT.get() or self._always_about,
        )
        line = event.encode()
        with self._file_lock:
            try:
                self._write(line)
            except OSError:
                self.lost += 1

    def _write(self, line: bytes) -> None:
        # Opened for each: events are few, and a file that somebody removed is there again.
        if not self._append(line, self._max_bytes):
            self._path.rename(self._path.with_name(f"{self._path.name}.1"))
            self._append(line, None)

    def _append(self, line: bytes, most: int | None) -> bool:
        """Write a line, unless the file would have more than ``most`` bytes; tell whether it was."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if most is not None and os.fstat(fd).st_size + len(line) > most:
                return False
            os.write(fd, line)
            return True
        finally:
            os.close(fd)


def events_path(folder: Path, process: str = "") -> Path:
    """Return the file of a process; ``process``: which of a component's, empty for the main one."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in process)[:80]
    return folder / (f"events.{safe}.jsonl" if safe else "events.jsonl")
