"""Brings what is in the log files to CloudWatch: in order, in large requests, each line once."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from vedette.application.log_streams import Where
from vedette.aws_calls import AwsError, Denied, Rejected, Unreachable, known_region
from vedette_device_monitor.logs.backlog import Backlog, Chunk
from vedette_device_monitor.logs.destination import Destination, Stream
from vedette_device_monitor.logs.journal import Journal, JournalPart
from vedette_device_monitor.logs.packing import LogEvent, requests, sendable
from vedette_device_monitor.logs.positions import Place, Positions
from vedette_device_monitor.logs.times import Now

logger = logging.getLogger(__name__)

LOOK_S: Final = 3.0
"""Between two looks at the files: what is printed is in CloudWatch within five seconds."""
_AGAIN_S: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
_REFUSED_AGAIN_S: Final = 60.0
_ROUND_BYTES: Final = 768 * 1024
"""Read and held at once."""
_MOST_ROUNDS: Final = 20
_CURSOR: Final = "journal"


class Uploader:
    """Sends logs, on the thread of :meth:`run`."""

    def __init__(
        self,
        backlog: Backlog,
        positions: Positions,
        destination: Destination,
        *,
        device: str,
        application_ids: Mapping[str, str],
        group_prefix: str,
        region: str,
        now: Callable[[], Now],
        journal: Journal | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; nothing is read or sent yet.

        :param device: what the device is called in groups
        :param application_ids: instance -> what it is called in groups, where that is another name
        :param now: the present, with the time as AWS has it
        """
        self.last_error = ""
        """Why logs wait; empty while none do."""
        self.last_success_at: float | None = None
        """Unix time."""
        self.sent = 0
        """Events."""
        self.dropped = 0
        """Events that the service does not take: too old, too new, or refused."""
        self._backlog = backlog
        self._positions = positions
        self._destination = destination
        self._device_group = f"{group_prefix}/{device}"
        self._application_ids = application_ids
        self._region = region
        self._now = now
        self._journal = journal
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._not_before = 0.0
        self._held_up: dict[Where, float] = {}
        """Streams that were refused -> when to try again."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait on the disk."""
        return self._backlog.waiting_bytes

    @property
    def where(self) -> str:
        """The device's group and its region."""
        return f"{self._device_group} in {self._region}"

    @property
    def lost(self) -> int:
        """Bytes of files that went before they were sent, and events that were given up."""
        return self._backlog.lost_bytes + self.dropped

    def close(self) -> None:
        """Keep what is known; to be called when :meth:`run` has returned."""
        self._positions.close()

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set."""
        while not stop.wait(LOOK_S):
            try:
                self.run_once(stop)
            except Exception:
                # One file or line that nobody thought of must not end the uploads of all others.
                logger.exception("unexpected")
                self._not_before = self._clock() + _AGAIN_S[-1]

    def run_once(self, stop: threading.Event | None = None) -> None:
        """See what is new and send all that can be sent now."""
        self._backlog.look()
        if self._clock() < self._not_before:
            return
        self._held_up = {where: at for where, at in self._held_up.items() if at > self._clock()}
        for _ in range(_MOST_ROUNDS):
            try:
                if not self._round() or (stop is not None and stop.is_set()):
                    break
            except AwsError as error:
                self._failed(error)
                return
        self._failures = 0
        if self.last_error and not self._held_up:
            logger.info("logs are sent again")
            self.last_error = ""

    def _round(self) -> bool:
        """Send once what fits into memory; return whether there may be more.

        :raises AwsError: when AWS cannot be reached
        """
        now = self._now()
        chunks: list[Chunk] = []
        size = 0
        for key in self._backlog.waiting():
            chunk = self._backlog.take(key, now)
            if chunk is None:
                continue
            if any(where in self._held_up for where in chunk.parts):
                self._backlog.put_back(chunk)
                continue
            chunks.append(chunk)
            size += chunk.size
            if size >= _ROUND_BYTES:
                break
        journal = None if self._journal is None else self._journal.take(self._positions.note(_CURSOR))
        if journal is not None and any(where in self._held_up for where in journal.parts):
            journal = None
        parts: list[Chunk | JournalPart] = [*chunks, *([] if journal is None else [journal])]
        try:
            for where in sorted({where for part in parts for where in part.parts}):
                self._send(where, parts)
        finally:
            self._settle(chunks, journal)
        return bool(parts) and not self._held_up

    def _settle(self, chunks: Sequence[Chunk], journal: JournalPart | None) -> None:
        places: list[tuple[str, Place]] = []
        for chunk in chunks:
            if any(chunk.parts.values()):
                self._backlog.put_back(chunk)
            else:
                places.append(self._backlog.done(chunk))
        cursor = [(_CURSOR, journal.cursor)] if journal is not None and not any(journal.parts.values()) else []
        self._positions.save(places, cursor)
        self._backlog.count()

    def _send(self, where: Where, parts: Sequence["Chunk | JournalPart"]) -> None:
        """Send what all parts have for a stream; what has arrived is taken out of them.

        :raises AwsError: when AWS cannot be reached
        """
        owned = [(event, part) for part in parts for event in part.parts.get(where, ())]
        takes = sendable([event for event, _ in owned], self._now().true)
        if len(takes) < len(owned):
            self._drop(where, len(owned) - len(takes), "their times are too far from now")
        stream = Stream(self._group(where), where.stream)
        rest = takes
        try:
            for request in requests(takes):
                self._put(where, stream, request)
                rest = rest_of(rest, request)
                self.last_success_at = self._now().true
        except (Denied, Rejected) as error:
            self._held_up[where] = self._clock() + _REFUSED_AGAIN_S
            self._say(str(error))
        finally:
            left = set(map(id, rest))
            for part in parts:
                events = part.parts.get(where)
                if events is not None:
                    part.parts[where] = [event for event in events if id(event) in left]
                    part.begun = part.begun or len(part.parts[where]) < len(events)

    def _put(self, where: Where, stream: Stream, events: list[LogEvent]) -> None:
        """Send a request; of one that is refused for what it holds, find the event that it is refused for."""
        try:
            refused = self._destination.put(stream, events)
        except Rejected as error:
            if error.code != "InvalidParameterException":
                raise
            if len(events) == 1:
                self._drop(where, 1, str(error))
                return
            middle = len(events) // 2
            self._put(where, stream, events[:middle])
            self._put(where, stream, events[middle:])
            return
        self.sent += len(events) - refused
        if refused:
            self._drop(where, refused, "AWS refused them for their times")

    def _group(self, where: Where) -> str:
        if not where.instance:
            return self._device_group
        name = self._application_ids.get(where.instance, where.instance)
        return f"{self._device_group}/applications/{name}"

    def _drop(self, where: Where, count: int, why: str) -> None:
        self.dropped += count
        logger.warning("%d lines for %s %s are given up: %s", count, where.instance or "the device", where.stream, why)

    def _failed(self, error: AwsError) -> None:
        text = str(error)
        if isinstance(error, Unreachable):
            text = f"no connection to CloudWatch in region {self._region}: {text}"
            if not known_region(self._region):
                text = f"`{self._region}` is no region of AWS: correct it in the configuration ({error})"
        self._say(text)
        wait = _AGAIN_S[min(self._failures, len(_AGAIN_S) - 1)]
        self._failures += 1
        # A fleet that lost its connection together shall not come back together.
        self._not_before = self._clock() + wait * (0.75 + self._jitter() / 2)

    def _say(self, text: str) -> None:
        if text != self.last_error:
            logger.warning("logs wait on this device: %s", text)
        self.last_error = text


def rest_of(events: list[LogEvent], sent: Sequence[LogEvent]) -> list[LogEvent]:
    """Return the events that are not among those sent; the same event, not an equal one."""
    gone = set(map(id, sent))
    return [event for event in events if id(event) not in gone]
