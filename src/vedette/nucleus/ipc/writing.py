"""Writing to one client without ever waiting for it: answers first, events as fast as it reads, no more than fits."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from vedette.nucleus.ipc.outbox import Outbox
from vedette.nucleus.ipc.streams import Stream

__all__ = ["Writer"]

_log = logging.getLogger(__name__)

_WRITE_BUFFER_BYTES: Final = 256 * 1024
_UNREAD_ANSWERS_BYTES: Final = 1024 * 1024


class Writer:
    """Everything but ``event`` belongs to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_event_bytes: int, client: Callable[[], str]) -> None:
        """``client`` names the other end in the log; a longer event than ``max_event_bytes`` is left out."""
        self.open = False
        """Whether the client may be written to."""
        self._loop = loop
        self._thread = threading.get_ident()
        self._max_event_bytes = max_event_bytes
        self._client = client
        self._outbox = Outbox()
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._reading = True
        self._scheduled = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Write to this transport from now on."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def answer(self, frame: bytes) -> None:
        """Queue an answer. A client that asks and does not read its answers is not read any further."""
        self._outbox.answer(frame)
        self._schedule()
        if self._reading and self._outbox.answer_bytes > _UNREAD_ANSWERS_BYTES and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def event(self, stream: Stream, frame: bytes) -> None:
        """Queue an event of a stream; from any thread."""
        if threading.get_ident() == self._thread:
            self._event(stream, frame)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event, stream, frame)

    def pause(self) -> None:
        """Keep frames: the client does not read as fast as it is written to."""
        self._writable = False

    def resume(self) -> None:
        """Go on writing."""
        self._writable = True
        self._pump()

    def clear(self) -> None:
        """Forget what waits, for a connection that has ended."""
        self.open = False
        self._outbox.clear()

    def _event(self, stream: Stream, frame: bytes) -> None:
        if len(frame) > self._max_event_bytes:
            _log.warning("an event of %d bytes for %s is left out: it is too long", len(frame), self._client())
        elif self.open and stream.open:
            before = stream.queue.dropped
            self._outbox.event(stream.queue, frame)
            if not before and stream.queue.dropped:
                _log.warning("%s reads too slowly: its oldest events are dropped", self._client())
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._writable:
            self._scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        if not self.open or self._transport is None:
            return
        # Frames that wait together go out in one system call, up to what the transport may hold.
        batch: list[bytes] = []
        size = 0
        frames = iter(self._outbox)
        while self._writable:
            frame = next(frames, None)
            if frame is not None:
                batch.append(frame)
                size += len(frame)
            if batch and (frame is None or size >= _WRITE_BUFFER_BYTES):
                self._transport.write(b"".join(batch))
                batch, size = [], 0
            if frame is None:
                break
        if not self._reading and not self._outbox.answer_bytes:
            self._reading = True
            self._transport.resume_reading()
