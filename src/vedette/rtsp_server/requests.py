"""RTSP requests as a server reads them, and its answers (RFC 2326). A codec: no I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vedette.rtsp.errors import RtspError

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 64 * 1024
_METHOD: Final = re.compile(rb"[A-Z_]{0,24}( |$)")
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """A complete request; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def sequence(self) -> str:
        """The number that the answer repeats."""
        return self.headers.get("cseq", "0")


class RequestReader:
    """Takes bytes as they come and hands out requests; media packets from the client (RTCP) are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a request has begun and not ended."""
        return bool(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """Return the next complete request, or None when more bytes are needed.

        :raises RtspError: when the bytes are not RTSP or more than a request may hold.
        """
        while True:
            if self._buffer.startswith((b"\r", b"\n")):
                del self._buffer[:1]
            elif self._buffer.startswith(b"$"):
                whole = 4 + int.from_bytes(self._buffer[2:4], "big")
                if len(self._buffer) < max(4, whole):
                    return None
                del self._buffer[:whole]
            else:
                break
        # Found out at once, not when the connection's time is over: a browser, a scanner, TLS at the wrong port.
        if not _METHOD.match(self._buffer):
            raise RtspError("the first line is not a request of RTSP")
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise RtspError(f"the head of a request is over {MAX_HEAD_BYTES} bytes")
            return None
        request = _parse(bytes(self._buffer[:end]))
        length = _content_length(request)
        if len(self._buffer) < end + 4 + length:
            return None
        del self._buffer[: end + 4 + length]
        return request


def encode_answer(request: Request | None, code: int, headers: Headers = (), body: bytes = b"") -> bytes:
    """Return an answer; ``request`` is None where none could be read."""
    lines = [f"RTSP/1.0 {code} {_REASONS[code]}"]
    if request is not None:
        lines.append(f"CSeq: {request.sequence}")
    lines += ["Server: Vedette", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _parse(head: bytes) -> Request:
    lines = head.decode("utf-8", "replace").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("RTSP/") or not words[0]:
        raise RtspError("the first line is not a request of RTSP")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if not headers.get("cseq", "0").isdigit():
        raise RtspError("the request's CSeq is not a number")
    return Request(words[0], words[1], headers)


def _content_length(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit() or int(text) > MAX_BODY_BYTES:
        raise RtspError(f"the request's Content-Length is not a number up to {MAX_BODY_BYTES}")
    return int(text)
