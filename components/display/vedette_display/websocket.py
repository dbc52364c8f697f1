"""One WebSocket on an asyncio stream; the protocol itself is that of the ``websockets`` library."""

import asyncio
from typing import Final

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

MAX_MESSAGE_BYTES: Final = 64 * 1024
PING_S: Final = 5.0
SILENT_S: Final = 15.0
DRAIN_S: Final = 10.0
_READ_BYTES: Final = 16 * 1024


class SocketClosed(Exception):
    """The other side is gone, or it broke the protocol."""


class WebSocket:
    """``head``: the opening request, as read from the stream; the caller has decided that it is welcome."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._flushing = asyncio.Lock()
        self._parts: list[bytes] = []
        self._text = False
        self._ready: list[bytes | str] = []
        self._protocol.receive_data(head)

    async def open(self) -> None:
        """Answer the opening request.

        :raises SocketClosed: when it is no proper one; it has been answered with the reason.
        """
        for event in self._protocol.events_received():
            if isinstance(event, HandshakeRequest):
                self._protocol.send_response(self._protocol.accept(event))
        await self._flush()
        if self._protocol.state is not State.OPEN:
            raise SocketClosed("no proper WebSocket request")

    async def send(self, message: bytes | str) -> None:
        """Send a message, and wait while the other side is more than a buffer behind.

        :raises SocketClosed: when the other side is gone.
        """
        try:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
        except InvalidState as error:
            raise SocketClosed("the WebSocket is closed") from error
        await self._flush()

    async def receive(self) -> bytes | str:
        """Return the next message.

        :raises SocketClosed: at the end, however it comes about; also after ``SILENT_S`` without any sign of life.
        """
        while not self._ready:
            try:
                data = await asyncio.wait_for(self._reader.read(_READ_BYTES), SILENT_S)
            except (OSError, asyncio.TimeoutError) as error:
                raise SocketClosed("nothing more is heard from the page") from error
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            await self._flush()
            if not data or self._protocol.state is not State.OPEN:
                raise SocketClosed("the page has closed the WebSocket")
        return self._ready.pop(0)

    async def keep_alive(self) -> None:
        """Ping for as long as the socket lives; the pongs keep :meth:`receive` from giving up.

        :raises SocketClosed: at the end.
        """
        while True:
            await asyncio.sleep(PING_S)
            try:
                self._protocol.send_ping(b"")
            except InvalidState as error:
                raise SocketClosed("the WebSocket is closed") from error
            await self._flush()

    async def close(self, code: int = 1001) -> None:
        """Say goodbye and close."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code)
            try:
                await self._flush()
            except SocketClosed:
                return
        self._writer.close()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._parts, self._text = [], frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole = b"".join(self._parts)
            # A text that is no UTF-8 becomes one that no message is made of.
            self._ready.append(whole.decode(errors="replace") if self._text else whole)

    async def _flush(self) -> None:
        async with self._flushing:
            try:
                for data in self._protocol.data_to_send():
                    if data:
                        self._writer.write(data)
                    elif self._writer.can_write_eof():
                        self._writer.write_eof()
                await asyncio.wait_for(self._writer.drain(), DRAIN_S)
            except (OSError, asyncio.TimeoutError) as error:
                raise SocketClosed("the page takes nothing any more") from error
