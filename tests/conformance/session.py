"""One connection to a nucleus, and a transcript of everything that it answers."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Dict, List, Optional

from frames import FrameError, Headers, decode, encode, split

PREFIX = "aws.greengrass#"
MESSAGE, ERROR, PING, PING_RESPONSE, CONNECT, CONNECT_ACK = 0, 1, 2, 3, 4, 5
TERMINATE = 2
ANSWER_LIMIT_S = 10.0
QUIET_S = 0.05
"""How long to look for frames that nobody expects, once all the expected ones are there."""
RECORDED_S = 1.0
"""How long to look for frames where nothing is expected, because it is recorded."""

Frame = Dict[str, Any]


class Session:
    """Sends what a case says, waits for each answer, keeps every frame by the stream that it came on."""

    def __init__(self, path: str, token: str) -> None:
        self.streams: Dict[str, List[Frame]] = {}
        self.closed = False
        self.token = token
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_LIMIT_S)
        self._socket.connect(path)
        self._rest = b""
        self._next = 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # -- sending

    def raw(self, data: bytes, stream: int = 0) -> None:
        """Send bytes and wait for an answer on a stream, or for the end of the connection."""
        before = len(self._of(stream))
        try:
            self._socket.sendall(data)
        except OSError:
            self.closed = True
            return
        self._until(lambda: len(self._of(stream)) > before, ANSWER_LIMIT_S)

    def connect(self, token: Optional[str] = None, version: str = "0.1.0", body: Optional[bytes] = None) -> None:
        """Send CONNECT."""
        payload = json.dumps({"authToken": self.token if token is None else token}).encode() if body is None else body
        headers: Headers = {":version": version, ":message-type": CONNECT, ":message-flags": 0, ":stream-id": 0}
        self.raw(encode(headers, payload))

    def call(
        self, operation: str, request: Any = None, *, stream: Optional[int] = None, body: Optional[bytes] = None
    ) -> int:
        """Send a request on the next stream (or the one named), wait for its answer, return the stream's number."""
        number = self._next if stream is None else stream
        self._next = max(self._next, number + 1)
        payload = json.dumps({} if request is None else request).encode() if body is None else body
        self.raw(self.request(operation, number, payload), number)
        return number

    @staticmethod
    def request(operation: str, stream: int, payload: bytes) -> bytes:
        """Return the frame of a request, as the SDK client writes it."""
        headers: Headers = {
            ":content-type": "application/json",
            "service-model-type": f"{PREFIX}{operation}Request",
            ":message-type": MESSAGE,
            ":message-flags": 0,
            ":stream-id": stream,
            "operation": PREFIX + operation,
        }
        return encode(headers, payload)

    def terminate(self, stream: int) -> None:
        """End a stream as the SDK client does; nothing is answered to that."""
        self._socket.sendall(encode({":message-type": MESSAGE, ":message-flags": TERMINATE, ":stream-id": stream}))

    # -- receiving

    def settle(self, expected: Dict[str, List[Frame]], *, closes: bool, quiet_s: float = QUIET_S) -> None:
        """Read until as much has come as is expected, and ``quiet_s`` longer."""

        def enough() -> bool:
            if closes:
                return self.closed
            return all(len(self.streams.get(key, [])) >= len(frames) for key, frames in expected.items())

        self._until(enough, ANSWER_LIMIT_S)
        self._until(lambda: self.closed, quiet_s)

    def _of(self, stream: int) -> List[Frame]:
        return self.streams.get(str(stream), [])

    def _until(self, done: Any, limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while not self.closed and not done() and time.monotonic() < end:
            self._socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            try:
                found, self._rest = split(self._rest + data)
                for frame in found:
                    self._keep(*decode(frame))
            except FrameError as error:
                self.streams.setdefault("broken", []).append({"error": str(error)})
                self.closed = True

    def _keep(self, headers: Headers, payload: bytes) -> None:
        stream = str(headers.pop(":stream-id", "none"))
        body: Any = payload.decode("utf-8", "replace")
        if headers.get(":content-type") == "application/json":
            try:
                body = json.loads(payload)
            except ValueError:
                body = {"not JSON": body}
        self.streams.setdefault(stream, []).append({"headers": headers, "body": steady(body)})


def steady(body: Any) -> Any:
    """Return a body with what differs from run to run replaced: times, and JSON within base64 laid open."""
    if isinstance(body, dict):
        return {key: "<time>" if key == "timestamp" else steady(value) for key, value in body.items()}
    return [steady(item) for item in body] if isinstance(body, list) else body
