"""``python -m vedette.rtsp_server FILE --path NAME``: one camera made of a video file."""

import argparse
import contextlib
import getpass
import signal
import sys
import threading

from vedette.rtsp_server.server import RtspServer, RtspServerError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vedette.rtsp_server", description=__doc__)
    parser.add_argument("file", help="video file with H.264, H.265 or MJPEG; played in an endless loop")
    parser.add_argument("--path", default="camera", help="path in the URL (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8554, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--user", help="user name readers have to give; the password is read from standard input")
    parser.add_argument("--auth", choices=("digest", "basic"), default="digest", help="how readers log in")
    parser.add_argument("--certificate", help="PEM file of a certificate: readers come over TLS (rtsps://)")
    parser.add_argument("--key", help="PEM file of its key (default: in the file of the certificate)")
    return parser.parse_args()


def _password(user: str | None) -> str | None:
    if user is None:
        return None
    if sys.stdin.isatty():
        return getpass.getpass(f"Password for {user}: ")
    return sys.stdin.readline().rstrip("\n")


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    given = _arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    server = RtspServer(
        {given.path: given.file},
        given.user,
        _password(given.user),
        auth=given.auth,
        host=given.host,
        port=given.port,
        certificate=(given.certificate, given.key or given.certificate) if given.certificate else None,
    )
    try:
        with server, contextlib.suppress(BrokenPipeError):
            sys.stdout.write(server.url(given.path) + "\n")
            sys.stdout.flush()
            while server.running and not stop.wait(1.0):
                continue
            return 0 if stop.is_set() else 1
    except RtspServerError as error:
        sys.stderr.write(f"error: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
