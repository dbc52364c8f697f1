"""The log files that are followed: how far each has been read, when it grew, and its next lines."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vedette.application.log_streams import CONSOLE_OUTPUT, OCC_LOG, LogStreams, Where, places
from vedette.bus.version import say_version
from vedette.log_events import Event
from vedette.log_text import time_of
from vedette_device_monitor.logs.files import LogFile, LogFolders, open_file
from vedette_device_monitor.logs.packing import MAX_TEXT_BYTES, LogEvent
from vedette_device_monitor.logs.positions import HEAD_BYTES, Place, Positions
from vedette_device_monitor.logs.reading import is_text, split
from vedette_device_monitor.logs.times import Dating, Mark, Now, thinned

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 64 * 1024
AT_REST_S: Final = 5.0
"""A last line without an end is sent when its file has not grown for so long."""
MARKS_SAVED_S: Final = 60.0
_MOST_AGE_S: Final = 30 * 86400.0
_VERSIONS: Final = "versions"


@dataclass
class Chunk:
    """Lines of one file that have been read and not all been sent. ``parts``: those of each stream."""

    key: str
    end: int
    parts: dict[Where, list[LogEvent]]
    begun: bool = False
    """Whether some of it has been sent: then it must not be read again."""

    @property
    def size(self) -> int:
        """Bytes that it takes in requests."""
        return sum(event.size for events in self.parts.values() for event in events)


@dataclass
class _Followed:
    file: LogFile
    place: Place
    grown_at: float
    missed: int = 0
    left_out: bool = False
    chunk: Chunk | None = None
    said: set[str] = field(default_factory=set)


class Backlog:
    """What is on the disk and not in CloudWatch. Not thread-safe."""

    def __init__(
        self,
        folders: LogFolders,
        positions: Positions,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        uptime: Callable[[], float],
        boot: str,
    ) -> None:
        self.lost_bytes = 0
        """Of files that were removed, or cut, before they were sent."""
        self.waiting_bytes = 0
        """On the disk and not sent, as of the last look or request; another thread may read it."""
        self._folders = folders
        self._positions = positions
        self._clock = clock
        self._wall = wall
        self._uptime = uptime
        self._boot = boot
        self._followed: dict[str, _Followed] = {}
        self._looked_at: float | None = None
        self._saved_at = clock()
        self.streams: Mapping[str, LogStreams] = {}

    def look(self) -> None:
        """See which files there are, and which have grown."""
        now = self._clock()
        since_s = None if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        self.streams = self._folders.streams()
        found = {file.key: file for file in self._folders.find()}
        for key, file in found.items():
            self._see(key, file, now, since_s)
        for key in [key for key in self._followed if key not in found]:
            self._miss(key)
        self.count()
        if since_s is None or now - self._saved_at >= MARKS_SAVED_S:
            self._note_versions()
        if now - self._saved_at >= MARKS_SAVED_S:
            self._saved_at = now
            self._positions.save((key, each.place) for key, each in self._followed.items() if self._unsent(each))
            self._positions.forget(self._followed)

    def count(self) -> None:
        """Count what waits."""
        followed = self._followed.values()
        self.waiting_bytes = sum(each.file.size - each.place.position for each in followed if self._unsent(each))

    def waiting(self) -> list[str]:
        """Return the keys of the files with something to send, the one that grew longest ago first."""
        keys = [key for key, each in self._followed.items() if self._unsent(each)]
        return sorted(keys, key=lambda key: (self._followed[key].grown_at, self._followed[key].file.changed))

    def take(self, key: str, now: Now) -> Chunk | None:
        """Return the next lines of a file, None when there are none yet."""
        followed = self._followed[key]
        if followed.chunk is None:
            followed.chunk = self._read(key, followed, now)
        return followed.chunk

    def done(self, chunk: Chunk) -> tuple[str, Place]:
        """Go on behind a chunk that has been sent; return the place to keep."""
        followed = self._followed[chunk.key]
        followed.chunk = None
        place = followed.place
        place.position = chunk.end
        place.marks = thinned(place.marks, chunk.end)
        return chunk.key, place

    def put_back(self, chunk: Chunk) -> None:
        """Let go of a chunk that could not be sent; it is read again, unless some of it has been sent."""
        if not chunk.begun:
            self._followed[chunk.key].chunk = None

    @staticmethod
    def _unsent(followed: _Followed) -> bool:
        return not followed.left_out and followed.file.size > followed.place.position

    def _see(self, key: str, file: LogFile, now: float, since_s: float | None) -> None:
        followed = self._followed.get(key)
        if followed is None:
            place = self._positions.load(key) or Place()
            followed = self._followed[key] = _Followed(file, place, now)
            since_s = None
        elif file.size < followed.file.size:
            self._lose(followed, followed.file.size - followed.place.position, "was cut short")
            followed.place, followed.chunk, followed.left_out = Place(), None, False
        last = followed.place.marks[-1].offset if followed.place.marks else -1
        if file.size != last:
            if file.size != followed.file.size:
                followed.grown_at = now
            self._mark(followed.place, file, since_s)
        followed.file, followed.missed = file, 0

    def _mark(self, place: Place, file: LogFile, since_s: float | None) -> None:
        """Note when a file has grown: when it was changed last, but not before it was looked at last."""
        wall = self._wall()
        age = max(0.0, wall - file.changed)
        age = min(age, _MOST_AGE_S if since_s is None else since_s)
        uptime = self._uptime() - age
        # Changed before this start of the machine: only the clock can tell when.
        mark = Mark(file.size, wall - age, self._boot if uptime >= 0 else "", uptime)
        if place.marks and place.marks[-1].offset > file.size:
            place.marks = []
        place.marks = thinned([*place.marks, mark], place.position)

    def _note_versions(self) -> None:
        """Log updates of the components without a process, which cannot tell of it themselves as the others do."""
        versions = self._folders.versions()
        known = self._positions.note(_VERSIONS)
        try:
            before = json.loads(known) if known else {}
        except ValueError:
            before = {}
        if versions == before or not isinstance(before, dict):
            return
        for component, version in versions.items():
            if before.get(component) != version:
                say_version(component, str(before.get(component, "")), version)
        self._positions.save((), [(_VERSIONS, json.dumps(versions))])

    def _miss(self, key: str) -> None:
        followed = self._followed[key]
        followed.missed += 1
        if followed.missed < 2:
            return  # perhaps it was just being renamed
        if not followed.left_out:
            self._lose(followed, followed.file.size - followed.place.position, "was removed")
        del self._followed[key]

    def _lose(self, followed: _Followed, count: int, why: str) -> None:
        if count > 0:
            self.lost_bytes += count
            logger.warning("%s %s: %d bytes of it were not sent yet", followed.file.name, why, count)

    def _read(self, key: str, followed: _Followed, now: Now) -> Chunk | None:
        file, place = followed.file, followed.place
        fd = open_file(file)
        if fd is None:
            return None
        try:
            head = os.pread(fd, HEAD_BYTES, 0)
            if not place.fits(head):
                # Another file with the number of one that is gone.
                place = followed.place = Place(marks=place.marks[-1:])
            if place.head_bytes < HEAD_BYTES:
                place.learn(head)
            if not is_text(head):
                logger.warning("%s is no text and is left out", file.name)
                followed.left_out = True
                return None
            data = os.pread(fd, CHUNK_BYTES, place.position)
            if b"\n" not in data and len(data) == CHUNK_BYTES:
                data += os.pread(fd, MAX_TEXT_BYTES + 1 - CHUNK_BYTES, place.position + CHUNK_BYTES)
        except OSError as error:
            if "read" not in followed.said:
                followed.said.add("read")
                logger.warning("%s cannot be read: %s", file.name, error.strerror)
            return None
        finally:
            os.close(fd)
        whole = place.position + len(data) >= file.size
        at_rest = whole and self._clock() - followed.grown_at >= AT_REST_S
        lines = split(data, place.position, at_rest=at_rest)
        if not lines:
            return None
        chunk = Chunk(key, lines[-1].end, {})
        dating = Dating(place.marks, now)
        for line in lines:
            if line.text.strip():
                self._sort(file, line.text, line.end, dating, chunk.parts)
        return chunk

    def _sort(self, file: LogFile, text: str, end: int, dating: Dating, parts: dict[Where, list[LogEvent]]) -> None:
        streams = self.streams.get(file.component)
        if file.kind == "events":
            try:
                event = Event.decode(text)
            except ValueError:
                return
            moment = dating.time_of(end, event.at)
            where, words = places(file.component, event, self.streams)
            for each in where:
                parts.setdefault(each, []).append(LogEvent(round(moment * 1000), words))
            return
        moment = dating.time_of(end, time_of(text))
        place = Where("", OCC_LOG)
        if streams is not None:
            place = Where(streams.instance, CONSOLE_OUTPUT if file.kind == "console" else streams.code)
        parts.setdefault(place, []).append(LogEvent(round(moment * 1000), text))
