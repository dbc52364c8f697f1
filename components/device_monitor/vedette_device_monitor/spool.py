"""Metrics on their way: on disk, bounded, in order, each sent once.

A batch is written with what its counts start from next time, in one transaction: a process that dies before it loses
the minute, one that dies after it sends the minute, none counts a thing twice. A batch is marked before it is sent and
removed after; one that is found marked at the start was perhaps taken and is not sent again.
"""

import contextlib
import json
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from vedette_device_monitor.database import open_or_begin_anew

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_WAITING_IN_MEMORY: Final = 240
"""Batches that are kept while the disk takes nothing: two hours of two a minute."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, wall REAL NOT NULL, boot TEXT NOT NULL,
    uptime REAL NOT NULL, data BLOB NOT NULL, marked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# The journal keeps its place: a full disk still lets things be marked and removed.
_PRAGMAS: Final = {"journal_mode": "PERSIST", "synchronous": "FULL", "cache_size": "-512"}
_OLDEST: Final = """
SELECT id, namespace, wall, boot, uptime, data FROM batch
    WHERE namespace = (SELECT namespace FROM batch ORDER BY id LIMIT 1) ORDER BY id LIMIT ?"""
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """The metrics of one namespace and one moment."""

    namespace: str
    wall: float
    """Unix time by the device's clock, s."""
    boot: str
    """Which start of the machine."""
    uptime: float
    """Seconds since then: the true distance between two moments of one start, whatever the clock did."""
    data: bytes
    id: int = 0


class Spool:
    """The spool in one file. Its methods raise nothing: what the disk does not take waits in memory."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Open it; a file that is damaged is put aside."""
        self._path = path
        self._max_bytes = max_bytes
        self._waiting: deque[Batch] = deque(maxlen=MAX_WAITING_IN_MEMORY)
        self._notes: dict[str, str] = {}
        self._failing = False
        self._number = 0
        """Of batches in memory: negative."""
        self.dropped = 0
        """Batches given up because there was no room."""
        self.uncertain = 0
        """Batches that may or may not have arrived."""
        self._db: sqlite3.Connection | None = None
        self._open()
        self.uncertain += self._try(self._remove_marked, 0)

    def add(self, batches: Sequence[Batch], notes: Mapping[str, Any]) -> None:
        """Take batches in, with what has to be known the next time."""
        for batch in batches:
            self._number -= 1
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(replace(batch, id=self._number))
        self._notes.update({key: json.dumps(value) for key, value in notes.items()})
        self.flush()

    def flush(self) -> None:
        """Write what waits in memory, if the disk takes it."""
        if self._waiting or self._notes:
            self._try(self._write_waiting, otherwise=None)

    def note(self, key: str) -> Any:
        """Return what was noted; None when nothing was."""
        if key in self._notes:
            return json.loads(self._notes[key])
        row = self._try(lambda db: db.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone(), None)
        try:
            return None if row is None else json.loads(row[0])
        except ValueError:
            return None

    def oldest(self, count: int) -> list[Batch]:
        """Return up to ``count`` batches of one namespace, the oldest first; they stay."""
        rows: list[Any] = self._try(lambda db: db.execute(_OLDEST, (count,)).fetchall(), [])
        if rows:
            return [Batch(ns, wall, boot, uptime, data, number) for number, ns, wall, boot, uptime, data in rows]
        # Those that the disk does not take are sent all the same.
        return [batch for batch in self._waiting if batch.namespace == self._waiting[0].namespace][:count]

    def mark(self, batches: Sequence[Batch]) -> bool:
        """Mark batches as being sent; False when the disk does not take it, and they must not be sent."""
        return self._each("UPDATE batch SET marked = 1 WHERE id = ?", batches)

    def unmark(self, batches: Sequence[Batch]) -> bool:
        """Take the mark off: they surely did not arrive."""
        return self._each("UPDATE batch SET marked = 0 WHERE id = ?", batches)

    def remove(self, batches: Sequence[Batch]) -> bool:
        """Remove what has arrived or is given up."""
        gone = {batch.id for batch in batches}
        for batch in [batch for batch in self._waiting if batch.id in gone]:
            self._waiting.remove(batch)
        return self._each("DELETE FROM batch WHERE id = ?", batches)

    @property
    def size(self) -> int:
        """How many batches wait."""
        on_disk: int = self._try(lambda db: int(db.execute("SELECT count(*) FROM batch").fetchone()[0]), 0)
        return on_disk + len(self._waiting)

    def close(self) -> None:
        """Write what waits, then close the file."""
        self.flush()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _write_waiting(self, db: sqlite3.Connection) -> None:
        with db:
            for batch in self._waiting:
                db.execute(
                    "INSERT INTO batch (namespace, wall, boot, uptime, data) VALUES (?, ?, ?, ?, ?)",
                    (batch.namespace, batch.wall, batch.boot, batch.uptime, batch.data),
                )
            db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?)", self._notes.items())
            dropped = self._make_room(db)
        self.dropped += dropped
        self._waiting.clear()
        self._notes.clear()

    def _each(self, statement: str, batches: Sequence[Batch]) -> bool:
        numbers = [(batch.id,) for batch in batches if batch.id > 0]
        if not numbers:
            return True

        def change(db: sqlite3.Connection) -> bool:
            with db:
                db.executemany(statement, numbers)
            return True

        return self._try(change, otherwise=False)

    @staticmethod
    def _remove_marked(db: sqlite3.Connection) -> int:
        with db:
            return int(db.execute("DELETE FROM batch WHERE marked = 1").rowcount)

    def _make_room(self, db: sqlite3.Connection) -> int:
        total = int(db.execute("SELECT coalesce(sum(length(data)), 0) FROM batch").fetchone()[0])
        dropped = 0
        while total > self._max_bytes:
            number, size = db.execute("SELECT id, length(data) FROM batch ORDER BY id LIMIT 1").fetchone()
            db.execute("DELETE FROM batch WHERE id = ?", (number,))
            total -= size
            dropped += 1
        return dropped

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if self._db is None:
            self._open()
        if self._db is None:
            return otherwise
        try:
            result = work(self._db)
        except sqlite3.Error as error:
            self._failed(error)
            return otherwise
        if self._failing:
            logger.info("the spool %s can be used again", self._path)
            self._failing = False
        return result

    def _failed(self, error: sqlite3.Error) -> None:
        if not self._failing:
            logger.warning("the spool %s cannot be used (%s): metrics wait in memory", self._path, error)
            self._failing = True
        if not isinstance(error, sqlite3.OperationalError) and self._db is not None:
            self._db.close()
            self._db = None
            self._put_aside()

    def _open(self) -> None:
        try:
            self._db = open_or_begin_anew(self._path, _SCHEMA, _PRAGMAS, self._put_aside)
        except sqlite3.OperationalError as error:
            self._failed(error)

    def _put_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        with contextlib.suppress(OSError):
            self._path.replace(aside)
            logger.warning("the spool %s was damaged and is now %s; a new one was begun", self._path, aside.name)
