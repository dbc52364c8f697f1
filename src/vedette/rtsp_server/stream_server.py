"""The RTSP server: named mounts, many viewers, one thread."""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar

from vedette.rtsp_server.connection import Connection
from vedette.rtsp_server.login import Login
from vedette.rtsp_server.mounts import Mount

_log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 64
_BACKLOG: Final = 32
_CALL_S: Final = 5.0
_STOP_S: Final = 3.0
_HANDSHAKE_S: Final = 10.0
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
        self._connections: dict[asyncio.Task[Any], Connection] = {}
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
        return sum(connection.watches == name for connection in list(self._connections.values()))

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
        if task is None or len(self._connections) >= self._most:
            _log.warning("a connection is refused: there are %d already", self._most)
            writer.transport.abort()
            return
        connection = Connection(reader, writer, find=self._find, login=self._login)
        self._connections[task] = connection
        try:
            await connection.serve()
        except asyncio.CancelledError:
            # The server ends, or the mount is gone: whoever cancelled does not wait for the task's own end.
            pass
        except Exception:  # noqa: BLE001 - the edge of the task: one viewer never ends the server
            _log.exception("a connection of the RTSP server failed")
        finally:
            del self._connections[task]
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _STOP_S)
            writer.transport.abort()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        tasks = list(self._connections)
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
        for task, connection in list(self._connections.items()):
            if connection.watches == name:
                task.cancel()
