"""The worker's end of the channel: orders in, statuses out, on a thread of its own."""

import logging
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from vedette.messages import REPEAT_S, CameraState
from vedette_camera_ingest import channel
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.report import Report

_log = logging.getLogger(__name__)

_START_S: Final = 10.0
# The nucleus answers within a few seconds or not at all.
_ANSWER_S: Final = 15.0
_POLL_S: Final = 0.25


class Link:
    """Talks to the main process over ``sock``; ``stop`` is set by its order and by its death."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self._sock = sock
        self._stop = stop
        self._answers: queue.SimpleQueue[channel.Document] = queue.SimpleQueue()
        self._send_lock = threading.Lock()
        self._status: Callable[[], Report] | None = None

    def receive_start(self) -> channel.Start:
        """Return what the main process says first.

        :raises OSError: when the main process does not say within 10 s.
        """
        self._sock.settimeout(_START_S)
        try:
            packet = self._sock.recv(channel.MAX_PACKET_BYTES)
        finally:
            self._sock.settimeout(None)
        if not packet:
            raise ConnectionResetError("the main process is gone")
        return channel.read_start(channel.decode(packet))

    def serve(self, status: Callable[[], Report], overdue: Callable[[float], None]) -> None:
        """Start the thread that sends ``status()`` every second and listens; it calls ``overdue(now)`` as often."""
        self._status = status
        threading.Thread(target=self._serve, args=(overdue,), name="link", daemon=True).start()

    def send_status(self) -> None:
        """Send the status now."""
        if self._status is not None:
            self._send(channel.status(self._status()))

    def fetch_credentials(self) -> Credentials:
        """Ask the main process for the login, read afresh.

        :raises CaptureError: when there is none, or no answer.
        """
        self._send(channel.WANTED)
        deadline = time.monotonic() + _ANSWER_S
        while not self._stop.is_set() and time.monotonic() < deadline:
            try:
                return channel.read_answer(self._answers.get(timeout=_POLL_S))
            except queue.Empty:
                continue
        raise CaptureError(CameraState.SECRET_UNAVAILABLE, "The main process has not answered")

    def _send(self, document: channel.Document) -> None:
        try:
            with self._send_lock:
                # Never waits: a main process that is stuck gets the next one.
                self._sock.send(channel.encode(document), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return
        except OSError:
            self._stop.set()

    def _serve(self, overdue: Callable[[float], None]) -> None:
        poller = select.poll()
        poller.register(self._sock.fileno(), select.POLLIN)
        next_at = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_at:
                next_at = now + REPEAT_S
                overdue(now)
                self.send_status()
            if poller.poll(max(0.0, next_at - now) * 1000):
                self._hear()

    def _hear(self) -> None:
        try:
            packet = self._sock.recv(channel.MAX_PACKET_BYTES)
        except OSError:
            packet = b""
        if not packet:
            _log.warning("the main process is gone")
            self._stop.set()
            return
        document = channel.decode(packet)
        if document["kind"] in ("credentials", "denied"):
            self._answers.put(document)
        elif document["kind"] == "stop":
            self._stop.set()
