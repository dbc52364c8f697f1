"""An RTSP server that follows a script: for each connection the replies it gives; after the last it hangs up."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence


class Scripted:
    """What the server has seen: the first bytes of every request, and its port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[str] = []

    def url(self, path: str = "s", scheme: str = "rtsp") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{path}"


@contextlib.contextmanager
def scripted(*connections: Sequence[bytes], tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Serve the connections in their order and yield what is seen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = Scripted(listener.getsockname()[1])

        def serve() -> None:
            for replies in connections:
                with contextlib.suppress(OSError):
                    sock, _ = listener.accept()
                    with tls.wrap_socket(sock, server_side=True) if tls else sock as peer:
                        for reply in replies:
                            seen.requests.append(peer.recv(4096).decode("latin-1"))
                            peer.sendall(reply.replace(b"PORT", str(seen.port).encode()))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(2)
