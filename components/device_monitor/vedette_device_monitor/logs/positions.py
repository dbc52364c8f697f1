"""How far each log file has been sent: on disk, so that a process that is killed neither loses nor repeats lines.

The files themselves are the spool. A position is written after the request that it counts for; the system has it then,
whatever becomes of this process. A machine that loses its power may send the last seconds again.
"""

import contextlib
import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vedette_device_monitor.database import open_or_begin_anew
from vedette_device_monitor.logs.times import Mark

logger = logging.getLogger(__name__)

HEAD_BYTES: Final = 256
"""By its first bytes a file is known again: an inode's number is given to the next file at once."""
MAX_ROWS: Final = 5000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS place (
    key TEXT PRIMARY KEY, position INTEGER NOT NULL, head INTEGER NOT NULL, head_bytes INTEGER NOT NULL,
    marks TEXT NOT NULL, seen REAL NOT NULL);
CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# No fsync for each position: what was written outlives this process, and that is what counts.
_PRAGMAS: Final = {"journal_mode": "WAL", "synchronous": "NORMAL", "cache_size": "-256"}


@dataclass
class Place:
    """How far a file has been sent, and when it grew."""

    position: int = 0
    head: int = 0
    head_bytes: int = 0
    marks: list[Mark] = field(default_factory=list)

    def fits(self, head: bytes) -> bool:
        """Tell whether a file that begins so is the one that this is of."""
        return len(head) >= self.head_bytes and zlib.crc32(head[: self.head_bytes]) == self.head

    def learn(self, head: bytes) -> None:
        """Remember the beginning of the file."""
        self.head, self.head_bytes = zlib.crc32(head[:HEAD_BYTES]), min(len(head), HEAD_BYTES)


class Positions:
    """Places by file, and notes. Raises nothing: what the disk does not take is remembered by this process alone."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Open the file; one that is damaged is begun anew, and what lies on the disk is sent again."""
        self._path = path
        self._wall = wall
        self._db: sqlite3.Connection | None = None
        self._failing = False
        self._unsaved: dict[str, Place] = {}
        self._notes: dict[str, str] = {}
        self._open()

    def load(self, key: str) -> Place | None:
        """Return the place of a file."""
        row = self._query("SELECT position, head, head_bytes, marks FROM place WHERE key = ?", (key,))
        if row is None:
            return None
        try:
            marks = [Mark(*each) for each in json.loads(row[3])]
        except (ValueError, TypeError):
            marks = []
        return Place(row[0], row[1], row[2], marks)

    def note(self, key: str) -> str:
        """Return a note, empty where there is none."""
        row = self._query("SELECT value FROM note WHERE key = ?", (key,))
        return self._notes.get(key, "" if row is None else str(row[0]))

    def save(self, places: Iterable[tuple[str, Place]], notes: Iterable[tuple[str, str]] = ()) -> None:
        """Keep places and notes, all of them or none."""
        self._unsaved.update(places)
        self._notes.update(notes)
        if not self._unsaved and not self._notes:
            return
        if self._db is None:
            self._open()
        if self._db is None:
            return
        seen = self._wall()
        rows = [
            (
                key,
                place.position,
                place.head,
                place.head_bytes,
                json.dumps([[mark.offset, mark.wall, mark.boot, mark.uptime] for mark in place.marks]),
                seen,
            )
            for key, place in self._unsaved.items()
        ]
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?, ?)", rows)
                self._db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?)", list(self._notes.items()))
        except sqlite3.Error as error:
            self._failed(error)
            return
        if self._failing:
            logger.info("positions in logs can be kept again")
            self._failing = False
        self._unsaved.clear()
        self._notes.clear()

    def forget(self, known: Iterable[str]) -> None:
        """Forget the places that were saved longest ago, where there are too many; those of ``known`` stay."""
        row = self._query("SELECT count(*) FROM place", ())
        if self._db is None or row is None or row[0] <= MAX_ROWS:
            return
        stay = set(known)
        try:
            with self._db:
                keys = self._db.execute("SELECT key FROM place ORDER BY seen").fetchall()
                gone = [(key,) for (key,) in keys if key not in stay][: row[0] - MAX_ROWS]
                self._db.executemany("DELETE FROM place WHERE key = ?", gone)
        except sqlite3.Error as error:
            self._failed(error)

    def close(self) -> None:
        """Close the file."""
        self.save(())
        if self._db is not None:
            self._db.close()
            self._db = None

    def _query(self, statement: str, arguments: tuple[str, ...]) -> tuple[Any, ...] | None:
        if self._db is None:
            return None
        try:
            found = self._db.execute(statement, arguments).fetchone()
        except sqlite3.Error as error:
            self._failed(error)
            return None
        return None if found is None else tuple(found)

    def _open(self) -> None:
        try:
            self._db = open_or_begin_anew(self._path, _SCHEMA, _PRAGMAS, self._put_aside)
        except sqlite3.OperationalError as error:
            self._failed(error)

    def _put_aside(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
            logger.warning("positions in logs were damaged: what is on this device is sent again")

    def _failed(self, error: sqlite3.Error) -> None:
        if not self._failing:
            logger.warning("positions in logs cannot be kept (%s): a restart would send lines again", error)
            self._failing = True
