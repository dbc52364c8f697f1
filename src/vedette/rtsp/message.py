"""RTSP 1.0 requests and responses (RFC 2326) as bytes. A codec: no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vedette.rtsp.errors import RtspError

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_BODY_BYTES: Final = 256 * 1024
MAX_MEDIA_BYTES: Final = 1024 * 1024
_INTERLEAVED: Final = ord("$")


@dataclass(frozen=True)
class Response:
    """A complete response; header names in lower case, in the order they came."""

    code: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name.lower()]

    def first(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next(iter(self.all(name)), None)


def encode_request(method: str, url: str, cseq: int, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return a request without a body.

    :raises RtspError: when the URL or a header would break out of its line.
    """
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {cseq}", *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line for line in lines) or " " in url:
        raise RtspError(f"the {method} request would hold a line break or a blank in its URL")
    return "\r\n".join([*lines, "", ""]).encode()


class ResponseReader:
    """Takes bytes as they come and hands out responses.

    Tolerates what cameras send: bare line feeds, folded headers, interleaved media packets (``$``) between responses.
    The last such packets are kept: a stream's first ones may come before the answer that starts it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._media = bytearray()

    def rest(self) -> bytes:
        """Return the media packets that came between the responses and what has not been read yet; once."""
        rest = bytes(self._media + self._buffer)
        self._media.clear()
        self._buffer.clear()
        return rest

    def receive_data(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_response(self) -> Response | None:
        """Return the next complete response, or None when more bytes are needed.

        :raises RtspError: when the bytes are not RTSP or more than a response may hold.
        """
        self._skip_interleaved()
        if not self._buffer or self._buffer[0] == _INTERLEAVED:
            return None
        self._check_beginning()
        end = self._end_of_head()
        if end is None:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise RtspError(f"the head of the response is over {MAX_HEAD_BYTES} bytes")
            return None
        code, reason, headers = _parse_head(bytes(self._buffer[:end]))
        length = _content_length(headers)
        if len(self._buffer) < end + length:
            return None
        body = bytes(self._buffer[end : end + length])
        del self._buffer[: end + length]
        self._scanned = 0
        return Response(code, reason, tuple(headers), body)

    def _skip_interleaved(self) -> None:
        while len(self._buffer) >= 4 and self._buffer[0] == _INTERLEAVED:
            packet = 4 + int.from_bytes(self._buffer[2:4], "big")
            if len(self._buffer) < packet:
                return
            if len(self._media) > MAX_MEDIA_BYTES:
                self._media.clear()
            self._media += self._buffer[:packet]
            del self._buffer[:packet]
            self._scanned = 0

    def _check_beginning(self) -> None:
        # Some servers put an empty line before their answer.
        while self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[:1]
        expected = b"RTSP/"
        if self._buffer[: len(expected)] != expected[: len(self._buffer)]:
            raise RtspError("the answer does not begin with RTSP/")

    def _end_of_head(self) -> int | None:
        """Return where the head ends; what holds no end is not looked through again."""
        start = max(0, self._scanned - 3)
        marks = (b"\r\n\r\n", b"\n\n")
        ends = [found + len(mark) for mark in marks if (found := self._buffer.find(mark, start)) >= 0]
        if not ends:
            self._scanned = len(self._buffer)
        return min(ends, default=None)


def _parse_head(head: bytes) -> tuple[int, str, list[tuple[str, str]]]:
    lines = head.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    version, _, rest = lines[0].partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if not version.startswith("RTSP/") or len(code) != 3 or not code.isascii() or not code.isdigit():
        raise RtspError("the first line of the answer is not one of RTSP")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip().lower(), value.strip()))
    return int(code), reason.strip(), headers


def _content_length(headers: list[tuple[str, str]]) -> int:
    text = next((value for name, value in headers if name == "content-length"), "0")
    if not text.isascii() or not text.isdigit():
        raise RtspError("the answer's Content-Length is not a number")
    length = int(text)
    if length > MAX_BODY_BYTES:
        raise RtspError(f"the answer's body of {length} bytes is over {MAX_BODY_BYTES} bytes")
    return length
