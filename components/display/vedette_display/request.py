"""HTTP as far as one page needs it: a request's head is read, an answer is written. A codec: no I/O.

The page, a few files and pictures are all there is, each on a connection of its own, so there is no keep-alive and no
body in requests.
"""

import re
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD_BYTES: Final = 16 * 1024
_METHODS: Final = ("GET", "HEAD")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class HttpError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, words: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers


class Request(NamedTuple):
    """A request. Header names are in lower case; of a header that comes twice the first counts."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Response(NamedTuple):
    """An answer."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def parse_head(head: bytes) -> Request:
    """Read a request's head, up to and with the empty line.

    :raises HttpError: when it is none, has a body, or asks for another method than GET and HEAD.
    """
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers: dict[str, str] = {}
        for line in lines:
            if line:
                name, colon, value = line.partition(":")
                if not colon or name != name.strip() or not name or (name.lower() == "host" and "host" in headers):
                    raise ValueError
                headers.setdefault(name.lower(), value.strip())
        parts = urlsplit(target)
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "This is not an HTTP request.") from error
    if not version.startswith("HTTP/1.") or not target.startswith("/"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request.")
    if method not in _METHODS or headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.")
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), headers)


def encode_head(response: Response, host: str, length: int | None) -> bytes:
    """Return status line and headers. ``host``: as the client named us; ``length``: of the body, None for a stream."""
    # 'self' covers a WebSocket to the same host in Chromium and Firefox, not in Safari before 15.4.
    policy = (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'none'; connect-src 'self' ws://{host} wss://{host}"
    )
    headers = [
        ("Content-Type", response.content_type),
        ("Connection", "close"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        *response.headers,
    ]
    if length is not None:
        headers.append(("Content-Length", str(length)))
    if all(name != "Cache-Control" for name, _ in response.headers):
        headers.append(("Cache-Control", "no-store"))
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def encode(response: Response, request: Request | None) -> bytes:
    """Return the whole answer."""
    host = safe_host(request.headers.get("host", "")) if request else ""
    head = encode_head(response, host, len(response.body))
    return head if request is not None and request.method == "HEAD" else head + response.body


def part_of(request: Request, size: int) -> range | None:
    """Return the bytes that a request for a file of ``size`` bytes wants; None: all of it (RFC 9110, 14.2).

    What asks for several parts at once gets the whole, which the standard allows.

    :raises HttpError: when there is no such part.
    """
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or not any(found.groups()) or "if-range" in request.headers:
        return None
    first, last = (int(text) if text else None for text in found.groups())
    start = first if first is not None else max(0, size - (last or 0))
    stop = size if first is None or last is None else min(size, last + 1)
    if start >= stop:
        told = (("Content-Range", f"bytes */{size}"),)
        raise HttpError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"This file has {size} bytes.", told)
    return range(start, stop)


def safe_host(host: str) -> str:
    """Return the Host header if it may stand in another header, else nothing."""
    return host if all(char.isalnum() or char in ".-:[]_" for char in host) else ""
