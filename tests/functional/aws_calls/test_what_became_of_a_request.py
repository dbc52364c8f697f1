"""A request over a real socket: what surely did not arrive is told apart from what may have."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.ports import closed_port
from vedette.aws_calls import KeptConnection, OutcomeUnknown, Unreachable, transport
from vedette.aws_calls.transport import send


class Server:
    """Takes one connection and does with it what it is told."""

    def __init__(self, deed: Callable[[socket.socket], None]) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(20)
        self.deed = deed
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    def _serve(self) -> None:
        try:
            connection, _ = self.sock.accept()
        except TimeoutError:
            return
        with connection:
            self.deed(connection)

    def close(self) -> None:
        self.thread.join(30)
        self.sock.close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers: list[Server] = []

    def start(deed: Callable[[socket.socket], None]) -> str:
        servers.append(Server(deed))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def read_all(connection: socket.socket, ending: bytes) -> bytes:
    data = b""
    while not data.endswith(ending):
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def test_an_answer_is_not_read(serve: Callable[..., str]) -> None:
    got: list[bytes] = []

    def deed(connection: socket.socket) -> None:
        got.append(read_all(connection, b"hello"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nok")

    answer = send("POST", serve(deed) + "/p?q=1", {"X-A": "b"}, b"hello")
    assert (answer.status, answer.body, answer.headers["date"]) == (200, b"ok", "x")
    assert got[0].startswith(b"POST /p?q=1 HTTP/1.1\r\n")


def test_a_request_that_nobody_takes_may_have_arrived(serve: Callable[..., str]) -> None:
    with closed_port() as port, pytest.raises(Unreachable, match="refused"):
        send("POST", f"http://127.0.0.1:{port}", {}, b"x")
    with pytest.raises(Unreachable, match="resolved"):
        send("POST", "http://no-such-host.invalid", {}, b"x")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", b"nonsense\r\n\r\n"])
def test_a_lost_answer_is_a_request_that_was_not_sent(serve: Callable[..., str], answer: bytes) -> None:
    def deed(connection: socket.socket) -> None:
        read_all(connection, b"hello")
        connection.sendall(answer)

    with pytest.raises(OutcomeUnknown):
        send("POST", serve(deed), {}, b"hello")


def test_a_server_without_an_answer_holds_up_for_ever(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_TIMEOUT_S", 0.2)
    done = threading.Event()

    def deed(connection: socket.socket) -> None:
        read_all(connection, b"hello")
        done.wait(20)

    with pytest.raises(OutcomeUnknown, match="time-out"):
        send("POST", serve(deed), {}, b"hello")
    done.set()


def test_the_proxy_of_the_site_is_passed_by(serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []

    def deed(connection: socket.socket) -> None:
        got.append(read_all(connection, b"\r\n\r\n"))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        got.append(read_all(connection, b"hello"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("http_proxy", serve(deed).replace("//", "//user:p%40ss@"))
    assert send("POST", "http://monitoring.example:8123/", {}, b"hello").status == 200
    assert got[0].startswith(b"CONNECT monitoring.example:8123")
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz" in got[0]


class Keeping(ThreadingHTTPServer):
    """Answers on connections that stay open, until it is told to close one without a word."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.hangs_up = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                outer.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
                if outer.hangs_up:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    server = Keeping()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)
    server.server_close()


def test_each_request_costs_a_handshake_or_one_is_lost_with_its_connection(keeping: Keeping) -> None:
    now = 0.0
    kept = KeptConnection(lambda: now)
    url = f"http://127.0.0.1:{keeping.server_address[1]}/"

    def ask(body: bytes) -> bytes:
        return kept.send("POST", url, {"Content-Length": str(len(body))}, body).body

    assert [ask(b"1"), ask(b"2"), ask(b"3")] == [b"ok"] * 3
    assert keeping.connections == 1
    keeping.hangs_up = True
    ask(b"4")  # the other end closes behind its answer, without having said so
    keeping.hangs_up = False
    assert ask(b"5") == b"ok"
    assert keeping.connections == 2
    now = 1000.0  # too long without a request: nobody knows what is between
    assert ask(b"6") == b"ok"
    assert keeping.connections == 3
    assert keeping.requests == [b"1", b"2", b"3", b"4", b"5", b"6"]
    kept.close()
