"""A request whose body is sent for as long as it lasts, while its answer is already read: PutMedia.

One thread does both: TLS connections of Python are not to be read and written by two at once.
"""

import http.client
import io
import select
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from vedette.aws_calls.errors import Unreachable
from vedette.aws_calls.transport import MAX_ANSWER_BYTES, connect, reason

SLICE_S: Final = 0.25
"""How often a wait looks whether it should end."""
_HEAD_BYTES: Final = 65_536
_READ_BYTES: Final = 65_536
_WRITE_BYTES: Final = 65_536
_STALLED_S: Final = 20.0


class AnswerReader:
    """Reads an HTTP/1.1 answer from bytes as they come. No I/O."""

    def __init__(self) -> None:
        self.status: int | None = None
        """None until the head has come."""
        self.headers: Mapping[str, str] = {}
        """Names in lower case."""
        self.ended = False
        self._buffer = b""
        self._chunked = False
        self._left: int | None = None
        """Bytes of the body or of the chunk that are still to come; None: until the end, or a chunk's size."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes in (none: the other end has closed); return what they hold of the body.

        :raises ValueError: for what is not HTTP
        """
        if not data:
            self.ended = True
            return b""
        self._buffer += data
        while self.status is None:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                if len(self._buffer) > _HEAD_BYTES:
                    raise ValueError("the head of the answer does not end")
                return b""
            self._buffer = rest
            self._read_head(head + separator)
        return self._unchunk() if self._chunked else self._plain()

    def _read_head(self, head: bytes) -> None:
        line, _, rest = head.partition(b"\r\n")
        parts = line.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise ValueError("the answer is not HTTP/1.1")
        status = int(parts[1])
        if status < 200:
            return  # 100 Continue: the answer comes behind it
        headers = http.client.parse_headers(io.BytesIO(rest))
        self.headers = {name.lower(): value for name, value in headers.items()}
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length", "")
        self._left = int(length) if length.isdigit() and not self._chunked else None
        self.status = status
        self.ended = self._left == 0

    def _plain(self) -> bytes:
        data, self._buffer = self._buffer, b""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.ended = self._left == 0
        return data

    def _unchunk(self) -> bytes:
        found = []
        while not self.ended:
            if self._left is None:
                line, separator, rest = self._buffer.partition(b"\r\n")
                if not separator:
                    if len(self._buffer) > 100:
                        raise ValueError("a chunk of the answer has no size")
                    break
                self._left = int(line.split(b";")[0] or b"x", 16)
                self._buffer = rest
                self.ended = self._left == 0
            elif len(self._buffer) < self._left + 2:
                break
            else:
                found.append(self._buffer[: self._left])
                self._buffer = self._buffer[self._left + 2 :]
                self._left = None
        return b"".join(found)


class UploadStream:
    """One such request. Used by one thread.

    ``stopped`` tells whether waits should end: they look every SLICE_S.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect and send the head.

        :raises Unreachable: when there is no connection
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._stopped = stopped
        self._clock = clock
        self.answer = AnswerReader()
        self.received = bytearray()
        """Of the answer's body, not yet taken."""
        connection = connect(parts.scheme, self._host, parts.port)
        if connection.sock is None:
            raise Unreachable(f"{self._host} cannot be reached")
        self._connection = connection
        self._sock = connection.sock
        self._sock.setblocking(False)
        lines = [f"POST {parts.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            self._send("\r\n".join([*lines, "", ""]).encode("latin-1"), _STALLED_S)
        except Unreachable:
            self.close()
            raise

    def write(self, data: bytes, stalled_s: float = _STALLED_S) -> bool:
        """Send a piece of the body; read what comes meanwhile. False when the answer has ended: no more is taken.

        :param stalled_s: longest time in which the other end takes nothing
        :raises Unreachable: when it stalled, or the connection broke
        """
        return self._send(f"{len(data):x}\r\n".encode() + data + b"\r\n", stalled_s)

    def finish(self) -> None:
        """Say that the body is at its end.

        :raises Unreachable: when the connection broke
        """
        self._send(b"0\r\n\r\n", SLICE_S)

    def take(self, timeout_s: float = 0.0) -> bytes:
        """Return what has come of the answer's body, after a wait of ``timeout_s`` at most; empty: nothing.

        :raises Unreachable: when the connection broke
        """
        if not self._read() and not self.received and not self.answer.ended and timeout_s > 0:
            self._wait(timeout_s, write=False)
            self._read()
        data = bytes(self.received)
        self.received.clear()
        return data

    def close(self) -> None:
        """Close the connection at once."""
        self._connection.close()

    def _send(self, data: bytes, stalled_s: float) -> bool:
        view = memoryview(data)
        deadline = self._clock() + stalled_s
        while view:
            self._read()
            if self.answer.ended:
                return False
            try:
                view = view[self._sock.send(view[:_WRITE_BYTES]) :]
                deadline = self._clock() + stalled_s
                continue
            except (BlockingIOError, ssl.SSLWantWriteError):
                pass
            except ssl.SSLWantReadError:
                self._wait(SLICE_S, write=False)
                continue
            except OSError as error:
                if self._last_words():
                    return False
                raise Unreachable(f"the connection to {self._host} broke: {reason(error)}") from error
            if self._stopped() or self._clock() > deadline:
                raise Unreachable(f"{self._host} takes nothing more: time-out")
            self._wait(SLICE_S, write=True)
        return True

    def _read(self) -> bool:
        """Read what is there; False when nothing was."""
        some = False
        while not self.answer.ended:
            try:
                data = self._sock.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return some
            except ssl.SSLWantWriteError:
                return some
            except OSError as error:
                raise Unreachable(f"the connection to {self._host} broke: {reason(error)}") from error
            try:
                self.received += self.answer.feed(data)
            except ValueError as error:
                raise Unreachable(f"{self._host} does not answer in HTTP: {error}") from None
            if len(self.received) > MAX_ANSWER_BYTES:
                raise Unreachable(f"{self._host} answers without end")
            some = True
        return some

    def _last_words(self) -> bool:
        """Read why the other end has closed; True when it said something."""
        try:
            self._read()
        except Unreachable:
            return False
        return self.answer.status is not None and self.answer.status >= 300

    def _wait(self, timeout_s: float, *, write: bool) -> None:
        writers = [self._sock] if write else []
        select.select([self._sock], writers, [], timeout_s)
