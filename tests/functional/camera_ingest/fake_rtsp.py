"""A server on loopback that answers every DESCRIBE with the same bytes, or misbehaves."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

VIDEO_SDP = "v=0\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"


def answer(code: int, reason: str = "", body: str = "", headers: str = "") -> bytes:
    """Return a response to the first request of a connection."""
    kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {code} {reason}\r\nCSeq: 1\r\n{headers}{kind}\r\n{body}".encode()


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None], *, patience_s: float = 2.0) -> Iterator[int]:
    """Serve each connection on a thread of its own, on a free port of loopback, which is yielded."""

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(patience_s)


@contextlib.contextmanager
def fake_server(reply: bytes | None, *, hang_up: bool = False, replies: int = 1000) -> Iterator[int]:
    """Serve on a free port and yield it.

    ``reply`` None: take connections and never answer, or with ``hang_up`` close them. After ``replies`` answers on one
    connection the server falls silent.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def serve(sock: socket.socket) -> None:
            left = replies
            with contextlib.suppress(OSError):
                while data := sock.recv(4096):
                    if reply is not None and left:
                        left -= 1
                        cseq = next((line for line in data.split(b"\r\n") if line.startswith(b"CSeq")), b"CSeq: 1")
                        sock.sendall(reply.replace(b"CSeq: 1", cseq))

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                if hang_up:
                    sock.close()
                    continue
                kept.append(sock)
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(2)
            for sock in kept:
                sock.close()


@contextlib.contextmanager
def dripping_server() -> Iterator[str]:
    """Answer with one byte every 5 ms, and yield the URL: no single wait is ever long."""
    over = threading.Event()

    def drip(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            sock.recv(4096)
            sock.sendall(b"RTSP/1.0 200 OK\r\nX: ")
            while not over.wait(0.005):
                sock.sendall(b"x")

    with listening(drip, patience_s=30.0) as port:
        try:
            yield f"rtsp://127.0.0.1:{port}/x"
        finally:
            over.set()
