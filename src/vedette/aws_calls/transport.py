"""One HTTP request, with bounds, and what is known of its fate when it fails."""

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from vedette.aws_calls.errors import OutcomeUnknown, Unreachable

if TYPE_CHECKING:  # TLS takes 6 MB of memory: only where something is sent
    import http.client
    import ssl

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 30.0
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024


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
    import http.client

    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = _connection(parts.scheme, host, parts.port)
    path = parts.path or "/"
    try:
        try:
            connection.connect()
            connection.request(method, path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{host} cannot be reached: {_reason(error)}") from error
        try:
            if connection.sock is not None:
                connection.sock.settimeout(ANSWER_TIMEOUT_S)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise OutcomeUnknown(f"{host} did not answer: {_reason(error)}") from error
        if answer.length:
            raise OutcomeUnknown(f"{host} broke off its answer")
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)
    finally:
        connection.close()


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


def _reason(error: Exception) -> str:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "time-out"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
