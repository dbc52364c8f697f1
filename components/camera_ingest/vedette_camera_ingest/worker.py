"""The process of one camera: ``python -m vedette_camera_ingest.worker <descriptor>``.

The descriptor is the worker's end of a socket pair; everything else, the password too, comes through it. The process
ends when it is told to, when the main process is gone, and in any case within a second of that.
"""

import logging
import os
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

import av

from vedette import logs
from vedette.coded_video import CodedOffer
from vedette.log_events import CAMERA
from vedette.parent_process import end_with_parent
from vedette.rings import RingError, RingWriter, listen
from vedette_camera_ingest.board import StatusBoard
from vedette_camera_ingest.capture import Capture
from vedette_camera_ingest.channel import coded_socket
from vedette_camera_ingest.launching import KEEP as _KEEP
from vedette_camera_ingest.link import Link

_log = logging.getLogger("camera_ingest.worker")

_END_S: Final = 0.7
# Every wait of the capture's loop is far shorter; a decoder that is stuck is ended and started again.
_STUCK_S: Final = 20.0
_EXIT_STUCK: Final = 4
# 8K in H.265 with four threads takes 1.2 GB, 1080p 60 MB; CUDA's own memory is not counted in this.
_MOST_MEMORY_BYTES: Final = 3 * 1024**3


def main() -> int:
    """Serve one camera; return the exit code."""
    end_with_parent()
    # A core file would hold the password and the pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What a hostile stream makes libav ask for: the worker ends and is started again, the device goes on.
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    logs.configure(os.environ.get("VEDETTE_LOG_LEVEL", "INFO"))
    # libav writes whole URLs into its own log.
    av.logging.set_level(None)
    stop = threading.Event()
    link = Link(socket.socket(fileno=int(sys.argv[1])), stop)
    source, socket_path, hardware = link.receive_start()
    # The work folder is the component's; a worker that is started by hand, as in tests, keeps nothing.
    if _KEEP in os.environ:
        logs.keep(Path(logs.FOLDER), process=source.camera_id, about=f"{CAMERA}:{source.camera_id}")
    try:
        ring = RingWriter(listen(socket_path), name=source.name)
    except RingError as error:
        _log.error("camera %s: %s", source.name, error)
        return 1
    coded_path = coded_socket(socket_path)
    try:
        offer = CodedOffer(coded_path)
    except RingError as error:
        _log.error("camera %s: %s", source.name, error)
        return 1
    board = StatusBoard(
        source,
        socket_path,
        coded_path,
        changed=link.send_status,
        dropped=lambda: ring.stats.dropped,
    )
    capture = Capture(source, link.fetch_credentials, ring, board, stop, hardware=hardware, offer=offer)

    def overdue(now: float) -> None:
        if now - capture.beat_at > _STUCK_S:
            _log.error("camera %s: nothing has moved for %.0f s, the worker ends", source.name, now - capture.beat_at)
            _leave(_EXIT_STUCK)

    link.serve(board.status, overdue)
    _stop_on_signals(stop)
    threading.Thread(target=_bound_the_end, args=(stop,), name="end", daemon=True).start()
    capture.run()
    ring.close()
    _leave(0)
    return 0


def _stop_on_signals(stop: threading.Event) -> None:
    waker, woken = os.pipe()

    def wait() -> None:
        os.read(waker, 1)
        stop.set()

    # A handler may interrupt any line, one that holds the event's lock too: it only writes to a pipe.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.write(woken, b"x"))
    # Ctrl-C in a terminal reaches the whole group; the main process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, name="signals", daemon=True).start()


def _bound_the_end(stop: threading.Event) -> None:
    stop.wait()
    threading.Event().wait(_END_S)
    _leave(0)


def _leave(code: int) -> None:
    """End at once: a thread that is stuck in libav would hold up the interpreter's own way out."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
