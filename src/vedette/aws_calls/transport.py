"""One HTTP request, with bounds, and what is known of its fate when it fails."""

import base64
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from vedette.aws_calls.errors import OutcomeUnknown, Unreachable

if TYPE_CHECKING:  # TLS takes 6 MB of memory: only where something is sent
    import http.client
    import ssl

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 30.0
_OF_TIME: Final = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and CERT_HAS_EXPIRED: mostly it is the clock that is wrong."""
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
KEPT_S: Final = 45.0
"""How long a connection is kept without a request."""
_SOON_S: Final = 2.0
"""A kept connection that fails so soon was closed by the other end."""


@dataclass(frozen=True)
class Response:
    """An answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Send a request through the proxy that the environment names, if any.

    :raises Unreachable: when it was not sent whole
    :raises OutcomeUnknown: when no whole answer came
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        return _exchange(connection, method, parts, headers, body)[0]
    finally:
        connection.close()


class KeptConnection:
    """Sends as :func:`send` does, over one connection that stays open between requests: a handshake costs 5 ms of the
    processor and more on small devices. Not thread-safe.

    A request that finds the connection closed by the other end is sent again at once over a new one. In the rare case
    that the other end had taken it before it closed, it takes it twice: for requests that bear it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is opened yet."""
        self._clock = clock
        self._held: tuple[tuple[str, str, int | None], http.client.HTTPConnection] | None = None
        self._used_at = 0.0

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a request.

        :raises Unreachable: when it was not sent whole
        :raises OutcomeUnknown: when no whole answer came
        """
        parts = urlsplit(url)
        end = (parts.scheme, parts.hostname or "", parts.port)
        if self._held is not None and (self._held[0] != end or self._clock() - self._used_at > KEPT_S):
            self.close()
        kept = self._held
        if kept is not None:
            try:
                return self._exchange(kept[1], method, parts, headers, body)
            except (Unreachable, OutcomeUnknown):
                if self._clock() - self._used_at > _SOON_S:
                    raise
        connection = _connection(*end)
        self._held = (end, connection)
        return self._exchange(connection, method, parts, headers, body)

    def close(self) -> None:
        """Close the connection."""
        if self._held is not None:
            self._held[1].close()
            self._held = None

    def _exchange(
        self,
        connection: "http.client.HTTPConnection",
        method: str,
        parts: SplitResult,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Response:
        self._used_at = self._clock()
        done = False
        try:
            answer, ends = _exchange(connection, method, parts, headers, body)
            done = not ends
        finally:
            if not done:
                self.close()
        self._used_at = self._clock()
        return answer


def _exchange(
    connection: "http.client.HTTPConnection", method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes
) -> tuple[Response, bool]:
    """Send a request over a connection; return the answer, and whether the other end closes the connection with it."""
    import http.client

    host = parts.hostname or ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        if connection.sock is None:
            connection.connect()
        connection.request(method, path, body, dict(headers))
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{host} cannot be reached: {reason(error)}") from error
    try:
        if connection.sock is not None:
            connection.sock.settimeout(ANSWER_TIMEOUT_S)
        answer = connection.getresponse()
        data = answer.read(MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise OutcomeUnknown(f"{host} did not answer: {reason(error)}") from error
    if answer.length:
        raise OutcomeUnknown(f"{host} broke off its answer")
    found = {name.lower(): value for name, value in answer.getheaders()}
    return Response(answer.status, found, data), answer.will_close


def _connection(scheme: str, host: str, port: int | None) -> "http.client.HTTPConnection":
    import urllib.request

    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    if proxy is None:
        return _open(scheme, host, port)
    hop = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = _open(scheme, hop.hostname or "", hop.port or 8080)
    login = {}
    if hop.username is not None:
        pair = f"{unquote(hop.username)}:{unquote(hop.password or '')}"
        login["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    connection.set_tunnel(host, port or (443 if scheme == "https" else 80), login)
    return connection


def connect(scheme: str, host: str, port: int | None) -> "http.client.HTTPConnection":
    """Return an open connection, through the proxy that the environment names, if any.

    :raises Unreachable: when there is none to be had
    """
    import http.client

    connection = _connection(scheme, host, port)
    try:
        connection.connect()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"{host} cannot be reached: {reason(error)}") from error
    return connection


def _open(scheme: str, host: str, port: int | None) -> "http.client.HTTPConnection":
    import http.client

    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT_S, context=_tls())
    return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)


@lru_cache(maxsize=1)
def _tls() -> "ssl.SSLContext":
    import ssl

    # Loading the certificates costs 20 ms: once.
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def reason(error: Exception) -> str:
    """Return why a connection failed, in a few words."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OF_TIME:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
            return (
                f"its certificate is not trusted ({error.verify_message}); this device's clock says {now}: is it set?"
            )
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "time-out"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
