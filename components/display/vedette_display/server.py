"""Page, WebSocket and pictures on one port."""

import asyncio
import contextlib
import errno
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

from vedette_display.access import Access
from vedette_display.board import Board
from vedette_display.camera_views import CameraViews, camera_of, view_of
from vedette_display.clips import ClipOrder, clip, clip_head
from vedette_display.controls import Controls
from vedette_display.gallery import Gallery
from vedette_display.picture import PictureError
from vedette_display.reports import Reports
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
from vedette_display.stills import BOUNDARY, Stills, jpeg, multipart_head, multipart_part, still, variant_of
from vedette_display.streams import Address
from vedette_display.video import VideoFeeds
from vedette_display.viewer import Viewer
from vedette_display.websocket import DRAIN_S, SocketClosed, WebSocket

logger = logging.getLogger(__name__)

HEAD_S: Final = 5.0
SLOWEST_BYTES_S: Final = 50_000
MAX_CONNECTIONS: Final = 96
PORTS_TRIED: Final = 20
NEXT_PICTURE_S: Final = 60.0
_OUTPUTS: Final = "/outputs/"
_CAMERAS: Final = "/cameras/"
_PICTURES: Final = (_OUTPUTS, _CAMERAS)
_RECORDINGS: Final = "/recordings/"
_TLS_RECORD: Final = 0x16
_FULL_S: Final = 0.2


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
    """Answers requests on ``sock``. Lives on the event loop.

    ``tls``: serve over TLS; who comes without it is sent to the ``https`` address.
    """

    def __init__(
        self,
        sock: socket.socket,
        access: Access,
        board: Board,
        gallery: Gallery,
        site: Site,
        reports: Reports,
        controls: Controls,
        videos: VideoFeeds,
        addresses: Callable[[], dict[str, Address]],
        views: CameraViews,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._sock = sock
        self._reports = reports
        self._controls = controls
        self._videos = videos
        self._addresses = addresses
        self._views = views
        self._tls = tls
        self._access = access
        self._board = board
        self._gallery = gallery
        self._site = site
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.viewers: set[Viewer] = set()
        """Pages that are open."""

    async def start(self) -> None:
        """Begin to answer."""
        self._accepting = asyncio.create_task(self._accept())

    async def stop(self) -> None:
        """Stop answering, and end what is open within a second."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._sock.close()
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
        private = self._private()
        now = time.monotonic()
        for viewer in self.viewers:
            viewer.judge(now)
            viewer.show(state, private)

    def _private(self) -> str:
        """Return what only those learn who hold the key."""
        return json.dumps({output_id: address._asdict() for output_id, address in self._addresses().items()})

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self._sock)
            except OSError as error:
                # Out of descriptors, or the client has gone already.
                logger.warning("a connection was not taken: %s", error.strerror)
                await asyncio.sleep(_FULL_S)
                continue
            if len(self._connections) >= MAX_CONNECTIONS:
                sock.close()
                continue
            task = asyncio.create_task(self._connected(sock))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _connected(self, sock: socket.socket) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls
            plain = tls is not None and await asyncio.wait_for(_first_byte(sock), HEAD_S) != _TLS_RECORD
            reader, writer = await _streams(sock, None if plain else tls)
            await self._serve(reader, writer, plain=plain)
        except (OSError, SocketClosed, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The other side went away or never said anything; the finally below is all there is to do.
            logger.debug("a connection ended early")
        except asyncio.CancelledError:
            logger.debug("a connection is ended: the display stops")
        finally:
            if writer is not None:
                writer.close()
            else:
                sock.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, plain: bool) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        request: Request | None = None
        try:
            request = parse_head(head)
            self._access.check_source(request)
            if plain:
                raise _Moved(f"https://{safe_host(request.headers.get('host', ''))}{_target(head)}")
            if request.path == "/live":
                self._access.check_page(request)
                self._access.check_look(request)
                await self._view(reader, writer, head, controls=self._access.may_control(request))
                return
            if request.path == "/" and self._access.brings_key(request):
                # Out of the address, so that it is in no history, no bookmark and no screenshot.
                answer = Response(
                    HTTPStatus.SEE_OTHER, "text/plain", b"", (("Location", "/"), self._access.cookie_header())
                )
            else:
                self._access.check_look(request)
                if request.path.startswith(_PICTURES) and request.path.endswith(".mjpg"):
                    await self._stream(request, writer)
                    return
                if request.path.startswith(_PICTURES) and request.path.endswith(".mp4"):
                    await self._clip(request, writer)
                    return
                answer = await self._answer(request)
        except _Moved as moved:
            answer = Response(HTTPStatus.PERMANENT_REDIRECT, "text/plain", b"", (("Location", moved.address),))
        except HttpError as error:
            logger.debug("answered %d", error.status.value)
            words = f"{error.words}\n".encode()
            answer = Response(error.status, "text/plain; charset=utf-8", words, error.headers)
        writer.write(encode(answer, request))
        # A long file to a slow client may take its time, as long as it goes on.
        await asyncio.wait_for(writer.drain(), HEAD_S + len(answer.body) / SLOWEST_BYTES_S)

    async def _answer(self, request: Request) -> Response:
        if request.path == "/api/health":
            return self._reports.health()
        if request.path == "/api/history":
            return self._reports.history(request)
        if request.path == "/api/recordings":
            return await asyncio.to_thread(self._reports.recordings, request)
        if request.path.startswith(_RECORDINGS):
            return await asyncio.to_thread(self._reports.recording, request.path[len(_RECORDINGS) :], request)
        if request.path in ("/api/log", "/api/log.txt", "/api/logs"):
            # An application may log anything: not for everybody on the machine.
            self._access.check_control(request)
            if request.path == "/api/logs":
                return await asyncio.to_thread(self._reports.logs)
            read = self._reports.log if request.path == "/api/log" else self._reports.log_text
            return await asyncio.to_thread(read, request)
        if request.path.startswith(_PICTURES) and request.path.endswith(".jpg"):
            output_id = self._known(request.path)
            if camera_of(output_id) is None:
                return jpeg(await still(self._gallery, output_id, request))
            return await self._camera_still(output_id, request)
        if request.path.startswith(_PICTURES) and request.path.endswith(".zip"):
            return await self._snapshot(self._known(request.path))
        return self._site.respond(request)

    @contextlib.asynccontextmanager
    async def _looking(self, output_id: str, purpose: str) -> AsyncIterator[None]:
        """Keep a camera's main stream open for the while, and begin when it is there; of an output nothing is done."""
        end = self._views.look(output_id, purpose)
        try:
            if camera_of(output_id) is not None:
                await self._views.ready(output_id)
            yield
        finally:
            end()

    async def _camera_still(self, view: str, request: Request) -> Response:
        async with self._looking(view, "snapshot"):
            # A feed that others look at may be about to change over to the main stream.
            picture = await still(
                self._gallery, view, request, lambda picture: picture.ring == self._views.locate(view)
            )
            return jpeg(picture, ("X-Vedette-Stream", self._views.stream_at(view, picture.ring)))

    async def _snapshot(self, output_id: str) -> Response:
        # Not before somebody asks: OpenCV takes 29 MB.
        from vedette_display.snapshot import snapshot

        camera_id = camera_of(output_id)
        try:
            async with self._looking(output_id, "snapshot"):
                path = (self._board.locate(output_id) if camera_id is None else self._views.locate(output_id)) or ""
                body = await asyncio.to_thread(
                    snapshot, path, output_id, self._board.document(), self._board.device, camera_id
                )
        except PictureError as error:
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}. The page at / says why.") from error
        name = "".join(char if char.isalnum() or char in "-_." else "-" for char in output_id)
        stamp = time.strftime("%Y%m%dT%H%M%S")
        save = ("Content-Disposition", f'attachment; filename="{name}-{stamp}.zip"')
        return Response(HTTPStatus.OK, "application/zip", body, (save,))

    async def _clip(self, request: Request, writer: asyncio.StreamWriter) -> None:
        output_id = self._known(request.path)
        order = ClipOrder(request)
        head = encode_head(clip_head(output_id, order.seconds), safe_host(request.headers.get("host", "")), None)
        if request.method == "HEAD":
            writer.write(head)
            return
        async with self._looking(output_id, "clip"):
            parts = clip(self._videos, output_id, order)
            try:
                async for data in parts:
                    # After the first bytes are there: before, an error can still be told.
                    writer.write(head + data)
                    head = b""
                    await asyncio.wait_for(writer.drain(), DRAIN_S)
            finally:
                await parts.aclose()  # type: ignore[attr-defined]

    async def _view(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, *, controls: bool
    ) -> None:
        web_socket = WebSocket(reader, writer, head)
        await web_socket.open()
        viewer = Viewer(web_socket, self._gallery, self._board.output, self._controls if controls else None)
        self.viewers.add(viewer)
        try:
            viewer.show(self._board.state(self._gallery.figures(), len(self.viewers)), self._private())
            await viewer.run()
        finally:
            self.viewers.discard(viewer)

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> None:
        output_id = self._known(request.path)
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

    def _known(self, path: str) -> str:
        """Return the output, or the camera's view, that a path below /outputs/ or /cameras/ names.

        :raises HttpError: when there is none of that name.
        """
        output_id = path[: path.rindex(".")].removeprefix(_OUTPUTS)
        if path.startswith(_CAMERAS):
            return self._known_view(output_id.removeprefix(_CAMERAS))
        if self._board.locate(output_id) is None:
            known = [output.output_id for output in self._board.document().outputs]
            listed = ", ".join(known) if known else "none"
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no output {output_id!r}. Outputs now: {listed}.")
        return output_id

    def _known_view(self, name: str) -> str:
        """Return the view of a camera by its id or its name."""
        cameras = self._board.document().cameras
        found = next((each for each in cameras if each.camera_id == name), None) or next(
            (each for each in cameras if each.name == name), None
        )
        if found is None:
            listed = ", ".join(each.name for each in cameras) if cameras else "none"
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no camera {name!r}. Cameras now: {listed}.")
        return view_of(found.camera_id)


class _Moved(Exception):
    """The request belongs to another address."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def _target(head: bytes) -> str:
    """Return path and query as the client wrote them, if they may stand in a header; else the page."""
    target = head.split(b" ", 2)[1].decode("latin-1")
    return target if target.isascii() and target.isprintable() else "/"


async def _first_byte(sock: socket.socket) -> int:
    """Return the first byte that the client sends, and leave it where it is.

    :raises OSError: when the connection ends before.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
    data = sock.recv(1, socket.MSG_PEEK)
    if not data:
        raise ConnectionResetError
    return data[0]


async def _streams(
    sock: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of an accepted connection, after the TLS handshake where there is one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, sock, ssl=tls, ssl_handshake_timeout=HEAD_S if tls is not None else None
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
