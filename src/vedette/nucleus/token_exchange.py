"""Gives components AWS credentials as ``aws.greengrass.TokenExchangeService`` does: over HTTP on the loop-back.

A component that depends on the service finds it by ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` and shows the token it has
for IPC. Whose credentials those are is the caller's affair: ``lend`` returns them. They are kept in memory, until
shortly before they expire. Sources: the Java nucleus's ``tes/HttpServerImpl.java`` and
``tes/CredentialRequestHandler.java``.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from vedette.nucleus.errors import NucleusError

__all__ = ["PATH", "Lend", "TokenExchange"]

_log = logging.getLogger(__name__)

PATH: Final = "/2016-11-01/credentialprovider/"
_MAX_HEAD_BYTES: Final = 8192
_READ_S: Final = 5.0
_LEND_S: Final = 30.0
"""The Java nucleus answers 504 after so long."""
_EARLY_S: Final = 300.0
"""New credentials are asked for so long before the old ones expire, as there."""
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    504: "Gateway Timeout",
}

Lend = Callable[[], Mapping[str, str]]
"""Returns AccessKeyId, SecretAccessKey, Token and Expiration (ISO 8601); called on a thread. NucleusError: none now."""


class TokenExchange:
    """The server. Everything belongs to the event loop's thread."""

    def __init__(
        self,
        lend: Lend,
        *,
        component: Callable[[str], str | None],
        entitled: Callable[[str], bool],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is opened before ``start``.

        :param component: returns the component that a token belongs to, None for nobody's
        :param entitled: tells whether a component depends on the service
        :param wall: Unix time, s
        """
        self._lend = lend
        self._component = component
        self._entitled = entitled
        self._wall = wall
        self._server: asyncio.Server | None = None
        self._one_at_a_time = asyncio.Lock()
        self._held: tuple[float, bytes] | None = None
        """When to ask anew (Unix time, s), and the answer until then."""

    async def start(self) -> str:
        """Listen on a free port of the loop-back; return the address for components.

        :raises NucleusError: if there is no port
        """
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        except OSError as error:
            raise NucleusError(f"credentials cannot be given out: {error.strerror}") from error
        return f"http://localhost:{self._server.sockets[0].getsockname()[1]}{PATH}"

    async def stop(self) -> None:
        """Stop listening and forget the credentials."""
        server, self._server, self._held = self._server, None, None
        if server is not None:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, body = await self._answer(reader)
            head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            head += "Content-Type: application/json\r\n\r\n" if body else "\r\n"
            writer.write(head.encode() + body)
            await asyncio.wait_for(writer.drain(), _READ_S)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            _log.debug("a request for credentials was not finished")
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _READ_S)
        line, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        if method != "GET":
            return 405, b""
        if rest.partition(" ")[0].partition("?")[0] != PATH:
            return 400, b""
        headers = {name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        name = self._component(headers.get("authorization", ""))
        if name is None or not self._entitled(name):
            _log.warning("credentials are refused to %s", name or "somebody without a valid token")
            return 403, b""
        try:
            return 200, await asyncio.wait_for(self._credentials(), _LEND_S)
        except asyncio.TimeoutError:
            _log.warning("%s gets no credentials: AWS did not give any in %g s", name, _LEND_S)
            return 504, b""
        except NucleusError as error:
            _log.warning("%s gets no credentials: %s", name, error)
            return 500, b""

    async def _credentials(self) -> bytes:
        async with self._one_at_a_time:
            if self._held is None or self._wall() >= self._held[0]:
                lent = await asyncio.to_thread(self._lend)
                self._held = (_expiry(lent) - _EARLY_S, json.dumps(dict(lent)).encode())
            return self._held[1]


def _expiry(lent: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(lent["Expiration"].replace("Z", "+00:00")).timestamp()
    except (KeyError, ValueError) as error:
        raise NucleusError("the credentials do not say when they expire") from error
