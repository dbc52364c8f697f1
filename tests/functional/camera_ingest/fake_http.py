"""A camera that speaks HTTP: motion JPEG, snapshots, and what can be wrong with either."""

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av

USER, PASSWORD = "viewer", "s3cret&"


def image(number: int = 0, width: int = 320, height: int = 240) -> bytes:
    """Return a grey JPEG, lighter with every number."""
    file = io.BytesIO()
    with av.open(file, "w", format="mjpeg") as container:
        stream: Any = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        frame = av.VideoFrame(width, height, "yuvj420p")
        for plane in frame.planes:
            plane.update(bytes([40 + number % 150]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


IMAGES = [image(number * 10) for number in range(8)]


class HttpServer:
    """Answers every path by what the test put at it: a function that writes to the connection."""

    def __init__(self) -> None:
        self.paths: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {"/mjpeg": mjpeg, "/snap.jpg": snapshot}
        self.over = threading.Event()
        self.requests = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            over = self.over

            def do_GET(self) -> None:
                server.requests += 1
                path = self.path.partition("?")[0]
                with contextlib.suppress(OSError):
                    if path not in server.paths:
                        self.send_error(404)
                    elif "login" in self.path and not self.headers.get("Authorization", "").startswith("Digest "):
                        self.send_response(401)
                        self.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
                        self.end_headers()
                    else:
                        server.paths[path](self)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(30)


def mjpeg(handler: Any) -> None:
    """Send motion JPEG at 20 fps."""
    begin(handler)
    number = 0
    while not handler.over.wait(0.05):
        part(handler, IMAGES[number % len(IMAGES)])
        number += 1


def begin(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", 'multipart/x-mixed-replace; boundary="--frame"')
    handler.end_headers()


def part(handler: Any, data: bytes) -> None:
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
    handler.wfile.write(head.encode() + data + b"\r\n")


def snapshot(handler: Any) -> None:
    """Send one image."""
    data = IMAGES[int(time.monotonic() * 10) % len(IMAGES)]
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@contextlib.contextmanager
def http_camera() -> Iterator[HttpServer]:
    server = HttpServer()
    try:
        yield server
    finally:
        server.close()
