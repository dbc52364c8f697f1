"""The RTSP server: named mounts, many viewers, one thread."""

import asyncio
import contextlib
import logging
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar

from vedette.rtsp.errors import RtspError
from vedette.rtsp_server import tunnel
from vedette.rtsp_server.connection import Connection
from vedette.rtsp_server.login import Login
from vedette.rtsp_server.mounts import Mount
from vedette.rtsp_server.requests import encode_answer

_log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 64
_BACKLOG: Final = 128
_CALL_S: Final = 5.0
_STOP_S: Final = 3.0
_HANDSHAKE_S: Final = 10.0
_FIRST_S: Final = 10.0
_FIRST_BYTES: Final = 16 * 1024
# What one host may have of all connections: a recorder that has gone mad leaves room for others.
_PART_OF_A_HOST: Final = 0.75
_SAY_AGAIN_S: Final = 60.0
_T = TypeVar("_T")


class StreamServer:
    """Serves mounts over RTSP: TCP and UDP, or TLS when ``tls`` is given; a context manager.

    Mounts may be added and removed while it runs, by any thread. ``login`` None lets everybody look. Without viewers it
    costs nothing but its thread. Port 0 takes a free one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8554,
        *,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._host = host
        self._port = port
        self._login = login
        self._tls = tls
        self._most = most_connections
        self._mounts: dict[str, Mount] = {}
        self._visits: dict[asyncio.Task[Any], _Visit] = {}
        self._tunnels = tunnel.Tunnels()
        self._full_said = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens at."""
        return self._port

    def url(self, path: str) -> str:
        """Return the address of a mount, without credentials."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'rtsps' if self._tls else 'rtsp'}://{host}:{self._port}/{path.strip('/')}"

    def add(self, path: str, mount: Mount) -> None:
        """Serve ``mount`` at ``path``; one that was there before is served no more to those who come."""
        name = path.strip("/")
        if self._loop is None:
            self._mounts[name] = mount
        else:
            self._call(lambda: self._place(name, mount))

    def remove(self, path: str) -> None:
        """Serve ``path`` no more; its viewers' connections are closed."""
        name = path.strip("/")
        if self._loop is None:
            self._mounts.pop(name, None)
        else:
            self._call(lambda: self._displace(name))

    def viewers(self, path: str) -> int:
        """Return how many viewers play ``path`` now."""
        name = path.strip("/")
        return sum(visit.watches == name for visit in list(self._visits.values()))

    def start(self) -> "StreamServer":
        """Start to listen.

        :raises OSError: when the port cannot be had.
        """
        if self._thread is not None:
            return self
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="rtsp-server", daemon=True)
        self._loop = loop
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), loop).result(_CALL_S)
        except BaseException:
            self.stop()
            raise
        return self

    def listen(self, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen at a further port as well, over TLS where ``tls`` is given; return it. The server has to run.

        :raises OSError: when the port cannot be had.
        """
        if self._loop is None:
            raise OSError(0, "the server does not run")
        return asyncio.run_coroutine_threadsafe(self._open(port, tls), self._loop).result(_CALL_S)

    def stop(self) -> None:
        """Stop listening and close every connection."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(TimeoutError, asyncio.CancelledError, RuntimeError):
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(_STOP_S)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_S)

    def __enter__(self) -> "StreamServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _call(self, action: Callable[[], _T]) -> _T:
        """Run ``action`` in the event loop and return its result."""

        async def run() -> _T:
            return action()

        if self._loop is None:
            return action()
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_S)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for mount in self._mounts.values():
            mount.bind(loop)
        self._port = await self._open(self._port, self._tls)

    async def _open(self, port: int, tls: ssl.SSLContext | None) -> int:
        server = await asyncio.start_server(
            self._accept,
            self._host,
            port,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
        )
        self._servers.append(server)
        opened: int = server.sockets[0].getsockname()[1]
        return opened

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        host = writer.get_extra_info("peername", ("",))[0]
        if task is None or not self._admit(host):
            writer.transport.abort()
            return
        visit = self._visits[task] = _Visit(host, writer.transport)
        try:
            await self._serve(visit, reader, writer)
        except asyncio.CancelledError:
            # The server ends, or the mount is gone: whoever cancelled does not wait for the task's own end.
            pass
        except RtspError as error:
            _log.info("a connection is ended: %s", error)
            if not writer.transport.is_closing():
                writer.write(encode_answer(None, 400, [("Connection", "close")]))
        except OSError:
            pass
        except Exception:  # noqa: BLE001 - the edge of the task: one viewer never ends the server
            _log.exception("a connection of the RTSP server failed")
        finally:
            self._visits.pop(task, None)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _STOP_S)
            writer.transport.abort()

    async def _serve(self, visit: "_Visit", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection: RTSP itself, or one half of a tunnel through HTTP."""
        first = await asyncio.wait_for(reader.read(_FIRST_BYTES), _FIRST_S)
        if not first:
            return
        if not first.startswith((b"GET ", b"POST ")):
            visit.connection = Connection(reader, writer, find=self._find, login=self._login, first=first)
            await visit.connection.serve()
            return
        head, rest = await tunnel.read_head(reader, first)
        if not head.begins:
            await self._tunnels.carry(head, reader, rest, visit.host)
            return
        asked = self._tunnels.begin(head, visit.host)
        try:
            writer.write(tunnel.encode_answer())
            visit.connection = Connection(asked, writer, find=self._find, login=self._login, datagrams=False)
            # The viewer says nothing more here, but hangs up.
            hanging_up = asyncio.ensure_future(_until_end(reader))
            serving = asyncio.ensure_future(visit.connection.serve())
            try:
                await asyncio.wait((hanging_up, serving), return_when=asyncio.FIRST_COMPLETED)
                asked.end()
                await asyncio.wait((serving,), timeout=_STOP_S)
            finally:
                for future in (hanging_up, serving):
                    future.cancel()
                await asyncio.gather(hanging_up, serving, return_exceptions=True)
        finally:
            self._tunnels.end(head)

    def _admit(self, host: str) -> bool:
        """Tell whether one more may come in from ``host``; make room by ending who has come and does not play."""
        of_host = [task for task, visit in self._visits.items() if visit.host == host]
        if len(self._visits) < self._most and len(of_host) < self._most * _PART_OF_A_HOST:
            return True
        # Of the same host where it has its share already: nobody else pays for it.
        crowded = of_host if len(of_host) >= self._most * _PART_OF_A_HOST else list(self._visits)
        idle = next((task for task in crowded if not self._visits[task].plays), None)
        if idle is None:
            self._say_full(host)
            return False
        # At once: its task comes to its end when it is its turn, and many more may have come by then.
        self._visits.pop(idle).transport.abort()
        idle.cancel()
        return True

    def _say_full(self, host: str) -> None:
        now = time.monotonic()
        if now >= self._full_said:
            self._full_said = now + _SAY_AGAIN_S
            _log.warning("connections are refused: %d play already, the last was of %s", len(self._visits), host)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        tasks = list(self._visits)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_S / 2)

    def _find(self, path: str) -> tuple[str, Mount] | None:
        mount = self._mounts.get(path)
        return None if mount is None else (path, mount)

    def _place(self, name: str, mount: Mount) -> None:
        mount.bind(asyncio.get_running_loop())
        self._mounts[name] = mount

    def _displace(self, name: str) -> None:
        self._mounts.pop(name, None)
        for task, visit in list(self._visits.items()):
            if visit.watches == name:
                task.cancel()


class _Visit:
    """One connection from its first byte on."""

    def __init__(self, host: str, transport: asyncio.WriteTransport) -> None:
        self.host = host
        self.transport = transport
        self.connection: Connection | None = None

    @property
    def watches(self) -> str | None:
        """The path it shows."""
        return None if self.connection is None else self.connection.watches

    @property
    def plays(self) -> bool:
        """Whether it has come to a picture."""
        return self.watches is not None


async def _until_end(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(_FIRST_BYTES):
            continue
