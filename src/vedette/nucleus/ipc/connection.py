"""One client's connection: its life, and what its messages ask for.

::

    NEW --CONNECT with a valid token--> OPEN --malformed frame, end of stream, token revoked--> CLOSED
    NEW --anything else, or nothing for CONNECT_TIMEOUT_S--> CLOSED
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Protocol, cast

from vedette.nucleus.ipc import protocol
from vedette.nucleus.ipc.call import Operation
from vedette.nucleus.ipc.errors import ProtocolError, UnparsableRequest
from vedette.nucleus.ipc.eventstream import Decoder, Message
from vedette.nucleus.ipc.personality import Personality
from vedette.nucleus.ipc.protocol import MessageType
from vedette.nucleus.ipc.requests import parse, text
from vedette.nucleus.ipc.serving import Desk
from vedette.nucleus.ipc.streams import Stream
from vedette.nucleus.ipc.writing import Writer

__all__ = ["CONNECT_TIMEOUT_S", "Connection", "Owner"]

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
_REFUSAL_S: Final = 1.0
_BEFORE_CONNECT_BYTES: Final = 64 * 1024


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


class Connection(asyncio.Protocol):
    """Server side of one client; made by ``IpcServer`` for every connection, on the loop's thread."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.component: str | None = None
        """Name of the component at the other end, once it has proved it."""
        self.streams: dict[int, Stream] = {}
        self._owner = owner
        self._personality = owner.personality
        self._loop = loop
        self._decoder = Decoder(min(_BEFORE_CONNECT_BYTES, self._personality.max_packet_bytes))
        self._writer = Writer(loop, self._personality.max_event_bytes, lambda: str(self.component))
        self._desk = Desk(
            self._personality,
            lambda: owner.operations,
            answer=self._answer,
            opened=self._opened,
            ended=self._close_stream,
        )
        self._state = State.NEW
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._latest_stream = 0
        self._dropped = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport and wait for CONNECT, though not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._alive:
            self._transport.abort()
            return
        self._writer.attach(self._transport)
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
        """Keep frames: the client does not read as fast as it is written to."""
        self._writer.pause()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._writer.resume()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the reason changes nothing
        """Drop every subscription."""
        self._close()
        if self._deadline is not None:
            self._deadline.cancel()
        for stream in list(self.streams.values()):
            self._close_stream(stream)
        self._writer.clear()
        self._owner.closed(self, self._dropped)

    # -- for the server

    def close(self) -> None:
        """End the connection now, without sending what waits."""
        self._close()
        if self._transport is not None:
            self._transport.abort()

    @property
    def dropped(self) -> int:
        """Events that this client will never get because it reads too slowly."""
        return self._dropped + sum(stream.queue.dropped for stream in self.streams.values())

    def describe(self) -> dict[str, Any]:
        """Return component, open streams and dropped events, for diagnostics."""
        return {"component": self.component, "streams": len(self.streams), "dropped": self.dropped}

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
            except UnparsableRequest:
                token, reason = None, "payload of CONNECT cannot be read"
            self.component = self._owner.authenticate(token) if token else None
            if self.component is None:
                reason = reason or "its token belongs to no component that runs"
        if reason is not None:
            self._refuse(reason)
            return
        self._state = State.OPEN
        self._writer.open = True
        self._decoder.limit = self._personality.max_packet_bytes
        self._answer(protocol.connect_ack(accepted=True))
        _log.debug("%s connected", self.component)

    def _refuse(self, reason: str) -> None:
        if not self._personality.strict:
            self._end(reason)
            return
        _log.warning("connection refused: %s", reason)
        self._close()
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

    def _call(self, stream_id: int, name: str, payload: bytes) -> None:
        def stream(event_shape: str) -> Stream:
            return Stream(stream_id, event_shape, self._writer.event)

        self._desk.serve(self.component or "", stream, stream_id, name, payload)

    # -- what becomes of it

    def _answer(self, frame: bytes) -> None:
        if self._state is State.OPEN:
            self._writer.answer(frame)

    def _opened(self, stream: Stream) -> None:
        earlier = self.streams.get(stream.stream_id)
        if earlier is not None:  # only nucleus lite lets a client use a number twice
            self._close_stream(earlier)
        self.streams[stream.stream_id] = stream

    def _close_stream(self, stream: Stream) -> None:
        self._dropped += stream.queue.dropped
        if self.streams.get(stream.stream_id) is stream:
            del self.streams[stream.stream_id]
        stream.close()

    def _end(self, reason: str) -> None:
        if self._alive:
            _log.warning("connection of %s ended: %s", self.component or "an unknown client", reason)
            self._close()
            if self._transport is not None:
                self._transport.close()

    def _close(self) -> None:
        self._state = State.CLOSED
        self._writer.open = False
