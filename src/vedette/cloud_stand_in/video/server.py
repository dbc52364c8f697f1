"""The stand-in as a server on this machine, on threads of its own."""

import json
import select
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from vedette.cloud_stand_in.errors import NotEmulatedError, NotFoundError, ServiceError, ValidationError
from vedette.cloud_stand_in.routes import Routes
from vedette.cloud_stand_in.video import signature
from vedette.cloud_stand_in.video.ingestion import ArgumentError, Ingestion
from vedette.cloud_stand_in.video.playback import chunk, selected
from vedette.cloud_stand_in.video.streams import StoredFragment, Streams, VideoStream

ACCOUNT: Final = "123456789012"
IDLE_S: Final = 5.0
MOST_IDLE_S: Final = 30.0
_OPERATIONS: Final = frozenset(
    {
        "CreateStream", "DescribeStream", "DeleteStream", "ListStreams", "GetDataEndpoint", "TagStream",
        "ListTagsForStream", "UpdateDataRetention",
    }
)  # fmt: skip


@cache
def _routes(service: str) -> Routes:
    """Return a service's operations; botocore reads its model for a quarter of a second."""
    return Routes(service)


class VideoStandIn:
    """Kinesis Video Streams at ``url``; a context manager. Point ``AWS_ENDPOINT_URL_KINESIS_VIDEO`` at it.

    ``secrets``: access key -> secret key of those who may call. ``certificate``: PEM files (certificate, key) to serve
    over TLS with.
    """

    def __init__(
        self,
        *,
        region: str = "us-east-1",
        port: int = 0,
        secrets: Mapping[str, str] | None = None,
        certificate: tuple[str, str] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.streams = Streams(region, ACCOUNT)
        self.secrets = dict(secrets or {"testing": "testing"})
        self.calls: list[str] = []
        """Every operation that was called, in order."""
        self.refuse: Callable[[str], ServiceError | None] = lambda _: None
        """Asked before each operation; what it returns is answered instead."""
        self.fault: Callable[[int], int | None] = lambda _: None
        """Asked for each fragment, by its number in the request from 0: the error that is said of it."""
        self.acknowledges = True
        """False: nothing is said of fragments."""
        self.patience_s = IDLE_S
        """How long GetMedia waits for another fragment before it ends."""
        self.reads = threading.Event()
        """Cleared: nothing is read, as from a link that has gone."""
        self.reads.set()
        self.wall = wall
        self.region = region
        self._control, self._media = _routes("kinesisvideo"), _routes("kinesis-video-media")
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_port}"
        self._connections: set[Any] = set()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "VideoStandIn":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.reads.set()
        self._server.shutdown()
        self._server.server_close()
        self.hang_up()
        self._thread.join(10)

    def hang_up(self) -> None:
        """Close every connection, as a network that has gone does."""
        for connection in list(self._connections):
            try:
                connection.shutdown(2)
            except OSError:
                continue

    @property
    def stopping(self) -> bool:
        """Whether it is being stopped."""
        return self._stopping.is_set()

    def stream(self, name: str) -> VideoStream:
        """Return a stream by name.

        :raises NotFoundError: when there is none
        """
        return self.streams.find(name, None)

    def permit(self, operation: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Check a call as the service does, before it is carried out.

        :raises ServiceError: as the service refuses it
        """
        self.calls.append(operation)
        refusal = self.refuse(operation)
        if refusal is not None:
            raise refusal
        signature.check(method, path, headers, body, self.secrets, self.region, self.wall())

    def control(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer a call of the control plane: status and body.

        :raises ServiceError: as the service refuses it
        """
        parts = urlsplit(path)
        found = self._control.operation(method, parts.path)
        if found is None:
            raise NotFoundError(f"there is no operation {method} {parts.path}")
        operation, in_path = found
        self.permit(operation, method, path, headers, body)
        if operation not in _OPERATIONS:
            raise NotEmulatedError(f"{operation} is not emulated")
        try:
            request = self._control.request(operation, in_path, parts.query, body)
        except ValidationError as error:
            raise ArgumentError(str(error)) from error
        return self._control.answer(operation, self._carry_out(operation, request.arguments))

    def media_request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
        """Check a GetMedia; return its arguments.

        :raises ServiceError: as the service refuses it
        """
        self.permit("GetMedia", method, path, headers, body)
        try:
            return self._media.request("GetMedia", {}, "", body).arguments
        except ValidationError as error:
            raise ArgumentError(str(error)) from error

    def _carry_out(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation == "CreateStream":
            return {"StreamARN": self.streams.create(arguments, self.wall()).arn}
        if operation == "ListStreams":
            return {"StreamInfoList": [stream.facts for stream in self.streams.all()]}
        if operation == "DeleteStream":
            self.streams.delete(arguments["StreamARN"])
            return {}
        stream = self.streams.find(arguments.get("StreamName"), arguments.get("StreamARN"))
        match operation:
            case "DescribeStream":
                return {"StreamInfo": stream.facts}
            case "GetDataEndpoint":
                return {"DataEndpoint": self.url}
            case "TagStream":
                stream.tags.update(arguments["Tags"])
                return {}
            case "ListTagsForStream":
                return {"Tags": stream.tags}
            case _:
                hours = arguments["DataRetentionChangeInHours"]
                sign = 1 if arguments["Operation"] == "INCREASE_DATA_RETENTION" else -1
                stream.facts["DataRetentionInHours"] += sign * hours
                return {}


class _Dechunker:
    """Takes a chunked body apart, in pieces of any size."""

    def __init__(self) -> None:
        self.ended = False
        self._buffer = b""
        self._left = 0
        self._between = True

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        found = []
        while not self.ended:
            if self._left:
                piece, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
                if not piece:
                    break
                found.append(piece)
                self._left -= len(piece)
                self._between = False
                continue
            line, separator, rest = self._buffer.partition(b"\r\n")
            if not separator:
                break
            self._buffer = rest
            if not line and not self._between:
                self._between = True  # the end of the chunk before
                continue
            self._left = int(line.split(b";")[0], 16)
            self.ended = self._left == 0
        return b"".join(found)


def _handler(stand_in: VideoStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The body of PutMedia is read from the socket itself, as it comes.
        rbufsize = 0

        def setup(self) -> None:
            super().setup()
            stand_in._connections.add(self.connection)  # noqa: SLF001 - its own handler

        def finish(self) -> None:
            stand_in._connections.discard(self.connection)  # noqa: SLF001
            super().finish()

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = urlsplit(self.path).path
            try:
                if path == "/putMedia":
                    self._put_media(headers)
                    return
                body = self._whole_body(headers)
                if path == "/getMedia":
                    self._get_media(headers, body)
                    return
                status, data = stand_in.control("POST", self.path, headers, body)
                self._answer(status, data)
            except ServiceError as error:
                document = json.dumps({"Message": str(error)}).encode()
                self.close_connection = True
                self._answer(error.status, document, {"x-amzn-ErrorType": error.code, "Connection": "close"})
            except OSError:
                self.close_connection = True

        def _whole_body(self, headers: Mapping[str, str]) -> bytes:
            left = int(headers.get("content-length") or 0)
            parts = []
            while left and (piece := self.rfile.read(left)):
                parts.append(piece)
                left -= len(piece)
            return b"".join(parts)

        def _answer(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _put_media(self, headers: Mapping[str, str]) -> None:
            stand_in.permit("PutMedia", "POST", self.path, headers, b"")
            stream = stand_in.streams.find(headers.get("x-amzn-stream-name"), headers.get("x-amzn-stream-arn"))
            if headers.get("transfer-encoding", "").lower() != "chunked":
                raise ArgumentError("the body has to be chunked")
            ingestion = Ingestion(stand_in.streams, stream, headers, stand_in.wall, stand_in.fault)
            stand_in.streams.begin(stream)
            try:
                self.close_connection = True
                self._begin_stream("application/json")
                self._ingest(ingestion)
                self._chunk(b"")
            finally:
                stand_in.streams.end(stream)

        def _ingest(self, ingestion: Ingestion) -> None:
            dechunker, idle_since = _Dechunker(), time.monotonic()
            said_at = idle_since
            while not dechunker.ended and not ingestion.failed and not stand_in.stopping:
                if not stand_in.reads.wait(0.1):
                    continue
                data = self._piece()
                now = time.monotonic()
                if data is None:
                    if now - idle_since > MOST_IDLE_S:
                        return
                    if now - said_at > IDLE_S:
                        said_at = now
                        self._chunk(ingestion.idle())
                    continue
                if not data:
                    return
                idle_since = said_at = now
                for line in ingestion.feed(dechunker.feed(data)):
                    self._say(line)
            if dechunker.ended and not ingestion.failed:
                for line in ingestion.end():
                    self._say(line)

        def _say(self, line: bytes) -> None:
            if line and (stand_in.acknowledges or b'"ERROR"' in line):
                self._chunk(line)

        def _piece(self) -> bytes | None:
            """Return what has come; None: nothing for a while; empty: the other end has closed."""
            pending = isinstance(self.connection, ssl.SSLSocket) and self.connection.pending()
            if not pending and not select.select([self.connection], [], [], 0.1)[0]:
                return None
            data: bytes = self.connection.recv(65536)
            return data

        def _get_media(self, headers: Mapping[str, str], body: bytes) -> None:
            arguments = stand_in.media_request("POST", self.path, headers, body)
            stream = stand_in.streams.find(arguments.get("StreamName"), arguments.get("StreamARN"))
            position = selected(list(stream.fragments), arguments["StartSelector"])
            self.close_connection = True
            self._begin_stream("video/webm")
            before: StoredFragment | None = None
            quiet_since = time.monotonic()
            while not stand_in.stopping and time.monotonic() - quiet_since < stand_in.patience_s:
                with stand_in.streams.changed:
                    if position >= len(stream.fragments):
                        stand_in.streams.changed.wait(0.2)
                        continue
                    fragment = stream.fragments[position]
                behind_ms = max(0, round(stand_in.wall() * 1000) - fragment.producer_ms)
                for piece in chunk(fragment, before, behind_ms):
                    self._chunk(piece)
                before, position, quiet_since = fragment, position + 1, time.monotonic()
            self._chunk(b"")

        def _begin_stream(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("x-amzn-RequestId", "stand-in")
            self.end_headers()

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def log_message(self, *_: object) -> None:
            """Say nothing: tests read ``calls``."""

    return Handler
