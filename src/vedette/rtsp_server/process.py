"""A server's process: video files as cameras, until standard input ends.

It speaks JSON lines with its parent: one request on standard input (streams, port, login; that is how the password gets
here), one answer on standard output, ``{"port": 8554}`` or ``{"error": "..."}``. The end of standard input is the order
to stop.
"""

import json
import signal
import ssl
import sys
from pathlib import Path
from typing import Any

from vedette.parent_process import end_with_parent
from vedette.rtsp_server.login import Login
from vedette.rtsp_server.mounts import FileMount, MountError
from vedette.rtsp_server.stream_server import StreamServer


def main() -> int:
    """Read the request, serve, return the exit code."""
    end_with_parent()
    # Ctrl-C in a terminal reaches the whole group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = _serve(json.loads(sys.stdin.readline()))
    except (MountError, ValueError, OSError) as error:
        _tell({"error": str(error)})
        return 1
    _tell({"port": server.port})
    while sys.stdin.readline():
        pass
    server.stop()
    return 0


def _serve(request: dict[str, Any]) -> StreamServer:
    host, port = request["host"], request["port"]
    login = Login(request["user"], request["password"] or "", request["auth"]) if request["auth"] else None
    tls = None
    if request["certificate"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            tls.load_cert_chain(*request["certificate"])
        except (OSError, ssl.SSLError) as error:
            raise OSError(f"certificate {request['certificate'][0]} and its key cannot be used: {error}") from error
    server = StreamServer(host, port, login=login, tls=tls)
    for name, path in request["streams"].items():
        server.add(name, FileMount(Path(path)))
    try:
        return server.start()
    except OSError as error:
        raise OSError(f"cannot listen at {host} port {port}: is another server running there?") from error


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
