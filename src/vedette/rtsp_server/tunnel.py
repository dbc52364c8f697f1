"""RTSP through HTTP, for viewers that reach nothing else: QuickTime's way, known to VLC, ffmpeg, GStreamer and live555.

A viewer opens two connections, each with a head of HTTP and the same ``x-sessioncookie``. What the server says, the
pictures among it, goes out on that of GET as it is; what the viewer asks comes in on that of POST, in Base64, each
request padded by itself. The viewer may close the POST and open another.
"""

import asyncio
import binascii
import re
from typing import Final

from vedette.rtsp.errors import RtspError

CONTENT_TYPE: Final = "application/x-rtsp-tunnelled"
MAX_HEAD_BYTES: Final = 16 * 1024
HEAD_S: Final = 10.0
_MOST_CHUNKS: Final = 16
_READ_BYTES: Final = 4 * 1024
_COOKIE: Final = re.compile(r"[\x21-\x7e]{1,64}")
_MOST_TUNNELS: Final = 64
_GROUP: Final = re.compile(rb"[A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/](=|[A-Za-z0-9+/]))")


class TunnelHead:
    """The head of GET or POST.

    :raises RtspError: when it is not that of a tunnel.
    """

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("utf-8", "replace").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or words[0] not in ("GET", "POST") or not words[2].startswith("HTTP/1."):
            raise RtspError("the first line is not a request of RTSP")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        cookie = headers.get("x-sessioncookie", "")
        if not _COOKIE.fullmatch(cookie):
            raise RtspError("a request of HTTP that is no tunnel: this is a port of RTSP, the page has another")
        self.begins = words[0] == "GET"
        self.cookie = cookie


class Base64Stream:
    """Base64 in pieces of any length, with padding anywhere between its groups of four. A codec: no I/O."""

    def __init__(self) -> None:
        self._rest = b""

    def receive_data(self, data: bytes) -> bytes:
        """Return what the bytes so far mean.

        :raises RtspError: when they are not Base64.
        """
        text = self._rest + data.translate(None, b"\r\n \t")
        whole = len(text) // 4 * 4
        self._rest = text[whole:]
        groups = [text[i : i + 4] for i in range(0, whole, 4)]
        if not all(map(_GROUP.fullmatch, groups)):
            raise RtspError("what comes through a tunnel is not Base64")
        return b"".join(map(binascii.a2b_base64, groups))


class TunnelReader:
    """What a viewer asks through its tunnel, read like a connection; holds little, and makes the POST wait."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(_MOST_CHUNKS)
        self._ended = False

    async def read(self, _most: int) -> bytes:
        """Return what has come, nothing at the end."""
        return b"" if self._ended and self._chunks.empty() else await self._chunks.get()

    def end(self) -> None:
        """There will be no more. Said and not left to a cancellation, which a request that comes then can swallow."""
        self._ended = True
        if not self._chunks.full():
            self._chunks.put_nowait(b"")

    async def feed(self, data: bytes) -> None:
        """Add what came; waits while too much is unread.

        :raises RtspError: when nothing is read any more.
        """
        try:
            await asyncio.wait_for(self._chunks.put(data), HEAD_S)
        except asyncio.TimeoutError as error:
            raise RtspError("nobody reads what comes through a tunnel") from error


class Tunnels:
    """Finds the two halves of tunnels."""

    def __init__(self) -> None:
        self._open: dict[str, TunnelReader] = {}

    def begin(self, head: TunnelHead, host: str) -> TunnelReader:
        """Take in a GET; return what will be asked through its POST.

        :raises RtspError: when there is one of that name, or too many.
        """
        if head.cookie in self._open or len(self._open) >= _MOST_TUNNELS:
            raise RtspError("there is such a tunnel already, or there are too many")
        reader = self._open[head.cookie] = TunnelReader(host)
        return reader

    def end(self, head: TunnelHead) -> None:
        """Forget a tunnel."""
        self._open.pop(head.cookie, None)

    async def carry(self, head: TunnelHead, reader: asyncio.StreamReader, first: bytes, host: str) -> None:
        """Hand what comes on a POST to its GET, until it ends.

        :raises RtspError: when there is no such tunnel of that host, or something else than Base64 comes.
        """
        into = self._open.get(head.cookie)
        if into is None or into.host != host:
            raise RtspError("there is no such tunnel")
        stream, data = Base64Stream(), first
        while True:
            if meant := stream.receive_data(data):
                await into.feed(meant)
            data = await reader.read(_READ_BYTES)
            if not data:
                return


async def read_head(reader: asyncio.StreamReader, first: bytes) -> tuple[TunnelHead, bytes]:
    """Return the head that begins with ``first``, and what stands after it.

    :raises RtspError: when it is none, too long, or not whole in time.
    """
    data, loop = first, asyncio.get_running_loop()
    deadline = loop.time() + HEAD_S
    while b"\r\n\r\n" not in data and len(data) <= MAX_HEAD_BYTES:
        try:
            more = await asyncio.wait_for(reader.read(_READ_BYTES), max(0.0, deadline - loop.time()))
        except asyncio.TimeoutError:
            break
        if not more:
            break
        data += more
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end or len(head) > MAX_HEAD_BYTES:
        raise RtspError("the head of a request is not whole")
    return TunnelHead(head), rest


def encode_answer() -> bytes:
    """Return the answer to GET, after which RTSP follows for as long as the connection lives."""
    return (
        f"HTTP/1.0 200 OK\r\nServer: Vedette\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\n\r\n"
    ).encode()
