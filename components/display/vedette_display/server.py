"""Page, WebSocket and pictures on one port."""

import asyncio
import errno
import logging
import socket
import time
from http import HTTPStatus
from typing import Final

from vedette_display.access import Access
from vedette_display.board import Board
from vedette_display.gallery import Gallery
from vedette_display.request import (
    MAX_HEAD_BYTES,
    HttpError,
    Request,
    Response,
    encode,
    encode_head,
    parse_head,
    safe_host,
)
from vedette_display.site import Site
from vedette_display.stills import BOUNDARY, Stills, multipart_head, multipart_part, still, variant_of
from vedette_display.viewer import Viewer
from vedette_display.websocket import SocketClosed, WebSocket

logger = logging.getLogger(__name__)

HEAD_S: Final = 5.0
MAX_CONNECTIONS: Final = 96
PORTS_TRIED: Final = 20
NEXT_PICTURE_S: Final = 60.0
_OUTPUTS: Final = "/outputs/"


def bind(address: str, port: int) -> socket.socket:
    """Return a listening socket at ``port``, or the next free one, or any.

    :raises OSError: when the address is not of this machine or may not be used.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    candidates = [0] if port == 0 else [*range(port, min(65536, port + PORTS_TRIED)), 0]
    for candidate in candidates:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, candidate))
            sock.listen(64)
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            sock.setblocking(False)
            return sock
    raise OSError(errno.EADDRINUSE, "no port is free")


class Server:
    """Answers requests on ``sock``. Lives on the event loop."""

    def __init__(self, sock: socket.socket, access: Access, board: Board, gallery: Gallery, site: Site) -> None:
        self._sock = sock
        self._access = access
        self._board = board
        self._gallery = gallery
        self._site = site
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.viewers: set[Viewer] = set()
        """Pages that are open."""

    async def start(self) -> None:
        """Begin to answer."""
        self._server = await asyncio.start_server(self._connected, sock=self._sock, limit=MAX_HEAD_BYTES)

    async def stop(self) -> None:
        """Stop answering, and end what is open within a second."""
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*(viewer.close() for viewer in self.viewers), return_exceptions=True)
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=1.0)

    def tell(self) -> None:
        """Send every page the present state."""
        if not self.viewers:
            return
        state = self._board.state(self._gallery.figures(), len(self.viewers))
        now = time.monotonic()
        for viewer in self.viewers:
            viewer.judge(now)
            viewer.show(state)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, SocketClosed, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The other side went away or never said anything; the finally below is all there is to do.
            logger.debug("a connection ended early")
        except asyncio.CancelledError:
            logger.debug("a connection is ended: the display stops")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        request: Request | None = None
        try:
            request = parse_head(head)
            self._access.check_source(request)
            if request.path == "/live":
                self._access.check_page(request)
                self._access.check_key(request)
                await self._view(reader, writer, head)
                return
            if request.path == "/" and self._access.brings_key(request):
                # Out of the address, so that it is in no history, no bookmark and no screenshot.
                answer = Response(
                    HTTPStatus.SEE_OTHER, "text/plain", b"", (("Location", "/"), self._access.cookie_header())
                )
            else:
                self._access.check_key(request)
                if request.path.startswith(_OUTPUTS) and request.path.endswith(".mjpg"):
                    await self._stream(request, writer)
                    return
                answer = await self._answer(request)
        except HttpError as error:
            logger.debug("answered %d", error.status.value)
            answer = Response(error.status, "text/plain; charset=utf-8", f"{error.words}\n".encode())
        writer.write(encode(answer, request))
        await asyncio.wait_for(writer.drain(), HEAD_S)

    async def _answer(self, request: Request) -> Response:
        if request.path == "/api/health":
            body = self._board.document().to_json().encode()
            return Response(HTTPStatus.OK, "application/json", body)
        if request.path.startswith(_OUTPUTS) and request.path.endswith(".jpg"):
            return await still(self._gallery, self._known(request.path[len(_OUTPUTS) : -4]), request)
        return self._site.respond(request)

    async def _view(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        web_socket = WebSocket(reader, writer, head)
        await web_socket.open()
        viewer = Viewer(web_socket, self._gallery, self._board.output)
        self.viewers.add(viewer)
        try:
            viewer.show(self._board.state(self._gallery.figures(), len(self.viewers)))
            await viewer.run()
        finally:
            self.viewers.discard(viewer)

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> None:
        output_id = self._known(request.path[len(_OUTPUTS) : -5])
        variant = variant_of(request)
        writer.write(encode_head(multipart_head(), safe_host(request.headers.get("host", "")), None))
        if request.method == "HEAD":
            return
        writer.write(b"--" + BOUNDARY + b"\r\n")
        pictures = Stills(self._gallery, output_id, variant).pictures(NEXT_PICTURE_S)
        try:
            async for picture in pictures:
                writer.write(multipart_part(picture))
                await asyncio.wait_for(writer.drain(), HEAD_S)
        finally:
            await pictures.aclose()  # type: ignore[attr-defined]

    def _known(self, output_id: str) -> str:
        if self._board.locate(output_id) is None:
            known = [output.output_id for output in self._board.document().outputs]
            listed = ", ".join(known) if known else "none"
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no output {output_id!r}. Outputs now: {listed}.")
        return output_id
