"""A camera that has one session only: a relay before a real server, which ends the session of before, or refuses."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from .fake_rtsp import listening

BUSY = b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n"
_CHUNK_BYTES = 65536


@contextlib.contextmanager
def one_session_camera(server_port: int, *, newest_wins: bool) -> Iterator[int]:
    """Relay to the server on loopback and yield the port.

    :param newest_wins: a second connection ends the first one; else it is told 453
    """
    lock = threading.Lock()
    sessions: list[tuple[socket.socket, socket.socket]] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def refuse(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(4096)
            client.sendall(BUSY)

    def serve(client: socket.socket) -> None:
        with lock:
            if sessions and not newest_wins:
                threading.Thread(target=refuse, args=(client,), daemon=True).start()
                return
            for old in sessions:
                for sock in old:
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
            session = (client, socket.create_connection(("127.0.0.1", server_port)))
            sessions.append(session)
        ways = [
            threading.Thread(target=pump, args=session, daemon=True),
            threading.Thread(target=pump, args=session[::-1], daemon=True),
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        for sock in session:
            sock.close()
        with lock:
            sessions.remove(session)

    with listening(serve) as port:
        try:
            yield port
        finally:
            with lock:
                for session in sessions:
                    for sock in session:
                        with contextlib.suppress(OSError):
                            sock.shutdown(socket.SHUT_RDWR)
