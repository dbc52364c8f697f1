"""One client's connection: its life, its streams, and writing that never waits for it.

::

    NEW --CONNECT with a valid token--> OPEN --malformed frame, end of stream, token revoked--> CLOSED
    NEW --anything else, or nothing for CONNECT_TIMEOUT_S--> CLOSED
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol, cast

from vedette.nucleus.ipc import protocol
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import IpcRefusal, ProtocolError, ServiceError, UnknownOperation, UnparsableRequest
from vedette.nucleus.ipc.eventstream import Decoder, Message
from vedette.nucleus.ipc.outbox import EventQueue, Outbox
from vedette.nucleus.ipc.personality import Personality
from vedette.nucleus.ipc.protocol import MessageType
from vedette.nucleus.ipc.requests import parse, text
from vedette.nucleus.ipc.service_model import UNSUPPORTED

__all__ = ["CONNECT_TIMEOUT_S", "Connection", "Owner"]

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
_REFUSAL_S: Final = 1.0
_BEFORE_CONNECT_BYTES: Final = 64 * 1024
_WRITE_BUFFER_BYTES: Final = 256 * 1024
_UNREAD_ANSWERS_BYTES: Final = 1024 * 1024


class State(Enum):
    """Where a connection is in its life."""

    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


class Owner(Protocol):
    """What a connection needs of its server."""

    operations: Mapping[str, Operation]
    personality: Personality

    def authenticate(self, token: str) -> str | None:
        """Return the component a token belongs to, None when it is not valid."""

    def closed(self, connection: "Connection", dropped: int) -> None:
        """A connection has ended; ``dropped`` events of its streams never went out."""


class _Stream:
    """An open subscription."""

    def __init__(self, connection: "Connection", stream_id: int, event_shape: str) -> None:
        self.queue = EventQueue()
        self.stream_id = stream_id
        self._connection = connection
        self._event_shape = event_shape
        self._closers: list[Callable[[], None]] = []
        self._open = True

    def send(self, payload: bytes) -> None:
        if self._open:
            self._connection.send_event(self, protocol.event(self.stream_id, self._event_shape, payload))

    def on_close(self, callback: Callable[[], None]) -> None:
        self._closers.append(callback)

    def close(self) -> None:
        self._open = False
        for closer in self._closers:
            closer()
        self._closers.clear()
        self.queue.clear()


class Connection(asyncio.Protocol):
    """Server side of one client; made by ``IpcServer`` for every connection, on the loop's thread."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.component: str | None = None
        """Name of the component at the other end, once it has proved it."""
        self.streams: dict[int, _Stream] = {}
        self._owner = owner
        self._personality = owner.personality
        self._loop = loop
        self._thread = threading.get_ident()
        self._decoder = Decoder(min(_BEFORE_CONNECT_BYTES, self._personality.max_packet_bytes))
        self._outbox = Outbox()
        self._state = State.NEW
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._writable = True
        self._reading = True
        self._pump_scheduled = False
        self._latest_stream = 0
        self._dropped = 0
        self._pending: set[asyncio.Task[None]] = set()
        """Answers that take their time; they are carried through even when the client has gone."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport and wait for CONNECT, though not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._alive:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._deadline = self._loop.call_later(CONNECT_TIMEOUT_S, self._end, "it did not send CONNECT in time")

    def data_received(self, data: bytes) -> None:
        """Act on every whole message; a malformed one ends this connection and nothing else."""
        if not self._alive:
            return
        self._decoder.receive_data(data)
        try:
            while self._alive:
                message = self._decoder.next_event()
                if message is None:
                    return
                self._receive(message)
        except ProtocolError as error:
            self._end(str(error))

    def pause_writing(self) -> None:
        """Keep frames in the outbox: the client does not read as fast as it is written to."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on writing."""
        self._writable = True
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the reason changes nothing
        """Drop every subscription."""
        self._state = State.CLOSED
        if self._deadline is not None:
            self._deadline.cancel()
        for stream in list(self.streams.values()):
            self._close_stream(stream)
        self._outbox.clear()
        self._owner.closed(self, self._dropped)

    # -- for the server

    def close(self) -> None:
        """End the connection now, without sending what waits."""
        self._state = State.CLOSED
        if self._transport is not None:
            self._transport.abort()

    @property
    def dropped(self) -> int:
        """Events that this client will never get because it reads too slowly."""
        return self._dropped + sum(stream.queue.dropped for stream in self.streams.values())

    def send_event(self, stream: _Stream, frame: bytes) -> None:
        """Queue an event; from any thread."""
        if threading.get_ident() == self._thread:
            self._queue_event(stream, frame)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue_event, stream, frame)

    # -- reading

    @property
    def _alive(self) -> bool:
        return self._state is not State.CLOSED

    def _receive(self, message: Message) -> None:
        kind = message.integer(protocol.MESSAGE_TYPE, -1)
        stream_id = message.integer(protocol.STREAM_ID, -1)
        if self._state is State.NEW:
            if kind != MessageType.CONNECT or stream_id != 0:
                raise ProtocolError(f"message of type {kind} before CONNECT")
            self._connect(message)
        elif kind == MessageType.APPLICATION_MESSAGE and stream_id > 0:
            self._application_message(stream_id, message)
        elif kind == MessageType.PING and stream_id == 0 and self._personality.strict:
            self._answer(protocol.ping_response(message))
        elif kind != MessageType.PING_RESPONSE or not self._personality.strict:
            raise ProtocolError(f"message of type {kind} on stream {stream_id}")

    def _connect(self, message: Message) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        reason = None
        if message.text(protocol.VERSION) != "0.1.0":
            reason = f"protocol version {message.headers.get(protocol.VERSION)!r}, expected '0.1.0'"
        else:
            try:
                token = text(parse(message.payload), "authToken")
            except UnparsableRequest as error:
                raise ProtocolError("payload of CONNECT cannot be read") from error
            self.component = self._owner.authenticate(token) if token else None
            if self.component is None:
                reason = "its token belongs to no component that runs"
        if reason is not None:
            self._refuse(reason)
            return
        self._state = State.OPEN
        self._decoder.limit = self._personality.max_packet_bytes
        self._answer(protocol.connect_ack(accepted=True))
        _log.debug("%s connected", self.component)

    def _refuse(self, reason: str) -> None:
        if not self._personality.strict:
            self._end(reason)
            return
        _log.warning("connection refused: %s", reason)
        self._state = State.CLOSED
        if self._transport is not None:
            self._transport.write(protocol.connect_ack(accepted=False))
            # The client closes first, so that it reports the refusal and not a socket that was closed on it.
            self._deadline = self._loop.call_later(_REFUSAL_S, self._transport.close)

    def _application_message(self, stream_id: int, message: Message) -> None:
        if not self._personality.strict:
            self._any_message(stream_id, message)
            return
        if stream_id <= self._latest_stream:
            # A late message of a stream that has ended is nothing to complain about: the two ends crossed.
            stream = self.streams.get(stream_id)
            if stream is not None and message.integer(protocol.FLAGS) & protocol.TERMINATE:
                self._close_stream(stream)
            return
        if stream_id != self._latest_stream + 1:
            raise ProtocolError(f"stream {stream_id} after stream {self._latest_stream}, expected the next number")
        self._latest_stream = stream_id
        name = message.text(protocol.OPERATION)
        if name is None:
            raise ProtocolError(f"stream {stream_id} begins without an operation")
        self._call(stream_id, name, message.payload)

    def _any_message(self, stream_id: int, message: Message) -> None:
        """Serve a message as nucleus lite does: the number of its stream means nothing."""
        flags = message.integer(protocol.FLAGS)
        if flags & protocol.TERMINATE:
            stream = self.streams.get(stream_id)
            if stream is not None:
                self._close_stream(stream)
            return
        name = message.text(protocol.OPERATION)
        if flags or name is None:
            self._answer(protocol.lite_error(stream_id, UnparsableRequest("it has flags, or no operation")))
            return
        self._call(stream_id, name, message.payload)

    def _call(self, stream_id: int, full_name: str, payload: bytes) -> None:
        name = full_name.removeprefix(protocol.PREFIX)
        stream: _Stream | None = None
        try:
            operation = self._operation(full_name, name)
            stream = _Stream(self, stream_id, operation.event_shape or "")
            request = parse(payload, integers_as_floats=operation.integers_as_floats)
            if operation.event_shape is not None:
                self.streams[stream_id] = stream
            answer = self._handle(operation, name, Call(self.component or "", request, stream))
            if not isinstance(answer, bytes):
                self._answer_later(answer, operation, name, stream)
                return
            frame = self._response(operation, name, stream_id, answer)
        except IpcRefusal as refusal:
            frame = self._refusal(refusal, name, stream_id, stream)
        self._answer(frame)

    def _response(self, operation: Operation, name: str, stream_id: int, answer: bytes) -> bytes:
        last = operation.event_shape is None and self._personality.terminates
        return protocol.response(stream_id, f"{name}Response", answer, last=last)

    def _refusal(self, refusal: IpcRefusal, name: str, stream_id: int, stream: _Stream | None) -> bytes:
        _log.debug("%s of %s refused: %s", name, self.component, refusal)
        if stream is not None:
            self._close_stream(stream)
        return (protocol.lite_error if self._personality.lite else protocol.error)(stream_id, refusal)

    def _answer_later(
        self, answer: Awaitable[dict[str, Any]], operation: Operation, name: str, stream: _Stream
    ) -> None:
        async def finish() -> None:
            try:
                body = protocol.to_json(await self._guarded(answer, name))
                frame = self._response(operation, name, stream.stream_id, body)
            except IpcRefusal as refusal:
                frame = self._refusal(refusal, name, stream.stream_id, stream)
            if self._state is State.OPEN:
                self._answer(frame)

        task = self._loop.create_task(finish())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _guarded(self, answer: Awaitable[dict[str, Any]], name: str) -> dict[str, Any]:
        try:
            return await answer
        except IpcRefusal:
            raise
        except Exception as error:
            _log.exception("%s of %s failed", name, self.component)
            raise ServiceError(f"{name} failed inside the nucleus; its log says why") from error

    def _operation(self, full_name: str, name: str) -> Operation:
        operation = self._owner.operations.get(name) if full_name != name else None
        if operation is not None:
            return operation
        if full_name != name and name in UNSUPPORTED and not self._personality.lite:
            raise ServiceError(f"Operation {full_name} is not supported by Greengrass")
        raise UnknownOperation(f"{full_name} operation is not part of this service")

    def _handle(self, operation: Operation, name: str, call: Call) -> bytes | Awaitable[dict[str, Any]]:
        try:
            answer = operation.handle(call)
            return protocol.to_json(answer) if isinstance(answer, dict) else answer
        except IpcRefusal:
            raise
        except Exception as error:
            # A fault of ours must not cost other components their nucleus.
            _log.exception("%s of %s failed", name, self.component)
            raise ServiceError(f"{name} failed inside the nucleus; its log says why") from error

    # -- writing

    def _answer(self, frame: bytes) -> None:
        self._outbox.answer(frame)
        self._schedule_pump()
        if self._reading and self._outbox.answer_bytes > _UNREAD_ANSWERS_BYTES and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _queue_event(self, stream: _Stream, frame: bytes) -> None:
        if len(frame) > self._personality.max_event_bytes:
            _log.warning("an event of %d bytes for %s is left out: it is too long", len(frame), self.component)
        elif self._state is State.OPEN and self.streams.get(stream.stream_id) is stream:
            before = stream.queue.dropped
            self._outbox.event(stream.queue, frame)
            if not before and stream.queue.dropped:
                _log.warning("%s reads too slowly: its oldest events are dropped", self.component)
            self._schedule_pump()

    def _schedule_pump(self) -> None:
        if not self._pump_scheduled and self._writable:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self._state is not State.OPEN:
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
                self._write(b"".join(batch))
                batch, size = [], 0
            if frame is None:
                break
        if not self._reading and self._transport is not None and not self._outbox.answer_bytes:
            self._reading = True
            self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # -- ending

    def _close_stream(self, stream: _Stream) -> None:
        self._dropped += stream.queue.dropped
        self.streams.pop(stream.stream_id, None)
        stream.close()

    def _end(self, reason: str) -> None:
        if self._state is not State.CLOSED:
            _log.warning("connection of %s ended: %s", self.component or "an unknown client", reason)
            self._state = State.CLOSED
            if self._transport is not None:
                self._transport.close()

    def describe(self) -> dict[str, Any]:
        """Return component, open streams and dropped events, for diagnostics."""
        return {"component": self.component, "streams": len(self.streams), "dropped": self.dropped}
