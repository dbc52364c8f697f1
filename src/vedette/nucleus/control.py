"""The control socket of a running instance: one JSON document a line, question and answer.

``{"op": "components"}`` -> ``{"ok": true, "result": [...]}``; what fails gives ``{"ok": false, "error": "..."}``.
"""

import json
import logging
import select
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from vedette.nucleus.errors import ControlError

logger = logging.getLogger(__name__)

_POLL_S: Final = 0.3
"""How soon the server sees that it is to end; each look wakes an idle nucleus."""
_MAX_REQUEST: Final = 65_536
_MAX_ANSWER: Final = 16_000_000
_IDLE_S: Final = 10.0

Operation = Callable[[Mapping[str, Any]], Any]
"""Takes the request, returns what JSON can hold; raises ControlError with a sentence for whoever asked."""


Stream = Callable[[Mapping[str, Any]], tuple[Iterator[Any], Callable[[], None]]]
"""Takes the request, returns what is answered line by line until the client goes (None: nothing now), and a closer."""


class ControlServer:
    """Answers requests on a Unix socket (mode 0600), each connection on a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._operations: dict[str, Operation] = {}
        self._streams: dict[str, Stream] = {}
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def serve(self, name: str, operation: Operation) -> None:
        """Answer ``{"op": name}`` with what ``operation`` returns; replaces an earlier one."""
        self._operations[name] = operation

    def serve_stream(self, name: str, stream: Stream) -> None:
        """Answer ``{"op": name}`` with a line for each thing that ``stream`` gives, until the client goes."""
        self._streams[name] = stream

    def start(self) -> None:
        """Bind the socket and begin to answer.

        :raises ControlError: if the socket cannot be bound
        """
        try:
            self._server = _Server(str(self._path), _handler(self._operations, self._streams))
            self._path.chmod(0o600)  # its folder lets nobody else in before that either
        except OSError as error:
            raise ControlError(f"control socket {self._path} cannot be bound: {error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        logger.debug("a control connection failed: %s", sys.exc_info()[0])


def _handler(
    operations: Mapping[str, Operation], streams: Mapping[str, Stream]
) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = _IDLE_S

        def handle(self) -> None:
            while line := self.rfile.readline(_MAX_REQUEST):
                request = _parse(line)
                name = request.get("op") if request is not None else None
                if isinstance(name, str) and name in streams:
                    self._follow(streams[name], request or {})
                    return
                self._write(_answer(operations, request, streams))

        def _follow(self, stream: Stream, request: Mapping[str, Any]) -> None:
            try:
                things, close = stream(request)
            except ControlError as error:
                self._write({"ok": False, "error": str(error)})
                return
            try:
                self._write({"ok": True, "result": None})
                for thing in things:
                    if thing is not None:
                        self._write(thing)
                    elif select.select([self.connection], [], [], 0)[0]:
                        return  # the client has gone; it has nothing to say
            finally:
                close()

        def _write(self, document: Any) -> None:
            self.wfile.write(json.dumps(document).encode() + b"\n")

    return Handler


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(line)
    except ValueError:
        return None
    return request if isinstance(request, dict) else None


def _answer(
    operations: Mapping[str, Operation], request: Mapping[str, Any] | None, streams: Mapping[str, Stream]
) -> dict[str, Any]:
    if request is None:
        return {"ok": False, "error": 'the request is not JSON: expected one object a line, such as {"op": "health"}'}
    name = request.get("op")
    operation = operations.get(name) if isinstance(name, str) else None
    if operation is None:
        known = ", ".join(sorted({*operations, *streams}))
        return {"ok": False, "error": f"operation {name!r} is not known: expected one of {known}"}
    try:
        return {"ok": True, "result": operation(request)}
    except ControlError as error:
        return {"ok": False, "error": str(error)}
    except Exception as error:
        logger.exception("control operation %s failed", name)
        return {"ok": False, "error": f"{name} failed: {type(error).__name__}"}


def follow(path: Path, op: str, *, timeout_s: float = 2.0, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Ask the instance behind a control socket for a stream, and give out what it answers until it ends.

    :raises ControlError: if nobody answers in time, or the answer is an error
    """
    with _asked(path, op, timeout_s, arguments) as (connection, answers):
        _result(path, answers.readline(_MAX_ANSWER) or b'{"ok": false, "error": "it ended"}')
        connection.settimeout(None)
        while line := answers.readline(_MAX_ANSWER):
            yield json.loads(line)


def request(path: Path, op: str, *, timeout_s: float = 2.0, **arguments: Any) -> Any:
    """Ask the instance behind a control socket and return its answer.

    :raises ControlError: if nobody answers in time, or the answer is an error
    """
    with _asked(path, op, timeout_s, arguments) as (_, answers):
        line = answers.readline(_MAX_ANSWER)
    return _result(path, line)


@contextmanager
def _asked(
    path: Path, op: str, timeout_s: float, arguments: Mapping[str, Any]
) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """Send a question; give the connection and what answers are read from."""
    document = json.dumps({"op": op, **arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(document)
            with connection.makefile("rb") as answers:
                yield connection, answers
    except OSError as error:
        raise ControlError(f"the instance at {path} does not answer: {error.strerror or 'timed out'}") from error


def _result(path: Path, line: bytes) -> Any:
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return answer["result"]
        message = str(answer["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise ControlError(f"the instance at {path} gave no proper answer: {line[:80]!r}") from error
    raise ControlError(message)
