"""Keeps one camera's worker alive: a thread that starts it, answers it, passes its statuses on and starts it again."""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vedette.log_events import CAMERA, about
from vedette.messages import REPEAT_S, CameraState, CameraStatus
from vedette.redaction import redact
from vedette_camera_ingest import channel
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.launching import launch
from vedette_camera_ingest.source import Source

_log = logging.getLogger(__name__)

_STOP_S: Final = 1.5
# A worker sends every second; one that is silent for so long is stuck and cannot even end itself.
_SILENT_S: Final = 30.0
_ALL_ASKED_S: Final = 0.5
_HEALTHY_S: Final = 30.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0

Launcher = Callable[[socket.socket], "subprocess.Popen[bytes]"]


class WorkerEnded(Exception):
    """The worker is gone. The text says how."""


class Supervisor:
    """Runs the worker of ``source`` until :meth:`stop`.

    ``fetch(source)`` returns the login or raises CaptureError; ``publish(status)`` is called from the supervisor's
    thread at every change and at least every ``REPEAT_S``.
    """

    def __init__(
        self,
        source: Source,
        socket_path: Path,
        *,
        fetch: Callable[[Source], Credentials],
        publish: Callable[[CameraStatus], None],
        hardware: bool = True,
        launcher: Launcher = launch,
    ) -> None:
        self._source = source
        self._socket_path = socket_path
        self._fetch = fetch
        self._publish = publish
        self._hardware = hardware
        self._launcher = launcher
        self._stop = threading.Event()
        self._wake_r, self._wake_w = os.pipe()
        self._thread = threading.Thread(target=self.run, name=f"camera {source.name}", daemon=True)
        self._latest = self._own_status(CameraState.CONNECTING, "")
        self._restarts = 0

    @property
    def running(self) -> bool:
        """Whether the thread, and with it perhaps a worker, is still there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread and with it the worker."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; it comes within two seconds."""
        self._stop.set()
        os.write(self._wake_w, b"x")

    def join(self, timeout_s: float) -> bool:
        """Wait for the end and let go of what the thread used; False when it has not come in time."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        for fd in (self._wake_r, self._wake_w):
            with contextlib.suppress(OSError):
                os.close(fd)
        return True

    def run(self) -> None:
        """Start the worker again whenever it ends: at once the first time, ever later when it keeps ending."""
        self._send(self._latest)
        wait_s = 0.0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self.run_once()
            except (WorkerEnded, OSError) as error:
                reason = str(error) if isinstance(error, WorkerEnded) else f"cannot be started ({error.strerror})"
                if time.monotonic() - started > _HEALTHY_S:
                    wait_s = 0.0
                self._restarts += 1
                _log.error(
                    "camera %s: the worker %s; next start in %.1f s",
                    self._source.name,
                    reason,
                    wait_s,
                    extra=about(CAMERA, self._source.camera_id),
                )
                self._wait(f"Its worker {reason} and is started again", wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2 or _FIRST_WAIT_S)
        self._send(self._own_status(CameraState.PAUSED, "No application wants its pictures"))

    def run_once(self) -> None:
        """Run one worker to its end; return when the end was asked for.

        :raises WorkerEnded: when it ended by itself.
        """
        ours, theirs = channel.pair()
        with ours:
            with theirs:
                process = self._launcher(theirs)
            try:
                ours.setblocking(False)
                ours.send(channel.encode(channel.start(self._source, str(self._socket_path), hardware=self._hardware)))
                self._serve(ours)
                if not self._everybody_ends(process):
                    raise WorkerEnded(_ending(process))
            except (BrokenPipeError, ConnectionResetError) as error:
                raise WorkerEnded(_ending(process)) from error
            finally:
                self._end(process, ours)

    def _everybody_ends(self, process: "subprocess.Popen[bytes]") -> bool:
        """Tell whether the worker has ended because everybody is asked to.

        Nuclei send SIGTERM to the whole tree of a component: the worker is often gone before this process has noticed.
        """
        if self._stop.is_set():
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            if process.wait(_STOP_S) == 0:
                return self._stop.wait(_ALL_ASKED_S)
        return False

    def _serve(self, ours: socket.socket) -> None:
        """Answer the worker until it hangs up or the end is asked for."""
        poller = select.poll()
        poller.register(ours.fileno(), select.POLLIN)
        poller.register(self._wake_r, select.POLLIN)
        heard = published = time.monotonic()
        while not self._stop.is_set():
            ready = {fd for fd, _ in poller.poll(REPEAT_S * 1000)}
            now = time.monotonic()
            if ours.fileno() in ready:
                packet = ours.recv(channel.MAX_PACKET_BYTES)
                if not packet:
                    return
                heard = now
                if self._handle(channel.decode(packet), ours):
                    published = now
            if now - heard > _SILENT_S:
                raise WorkerEnded(f"has been silent for {_SILENT_S:.0f} s")
            if now - published > 1.5 * REPEAT_S:
                published = now
                self._send(self._latest)

    def _handle(self, document: channel.Document, ours: socket.socket) -> bool:
        """Act on a packet; return whether a status was published."""
        if document["kind"] == "wanted":
            try:
                answer = channel.credentials(self._fetch(self._source))
            except CaptureError as error:
                answer = channel.denied(error)
            ours.send(channel.encode(answer))
            return False
        if document["kind"] == "status":
            self._send(CameraStatus.model_validate(document["status"]))
            return True
        return False

    def _send(self, status: CameraStatus) -> None:
        self._latest = status
        self._publish(status)

    def _wait(self, detail: str, wait_s: float) -> None:
        state = CameraState.CONNECTING if wait_s < 1.0 else CameraState.FAILED
        since = time.time()
        until = time.monotonic() + wait_s
        while True:
            left_s = until - time.monotonic()
            status = self._own_status(state, detail)
            self._send(status.model_copy(update={"since": since, "next_try_s": round(max(0.0, left_s), 1)}))
            if left_s <= 0 or self._stop.wait(min(REPEAT_S, left_s)):
                return

    def _own_status(self, state: CameraState, detail: str) -> CameraStatus:
        source = self._source
        return CameraStatus(
            camera_id=source.camera_id,
            name=source.name,
            state=state,
            detail=detail,
            since=time.time(),
            url=redact(source.url),
        )

    def _end(self, process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
        """Stop the worker: ask, wait, kill."""
        with contextlib.suppress(OSError):
            ours.send(channel.encode(channel.STOP))
        try:
            process.wait(_STOP_S if self._stop.is_set() else 0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
        for path in (self._socket_path, Path(channel.coded_socket(str(self._socket_path)))):
            with contextlib.suppress(OSError):
                path.unlink()


def _ending(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        return "hung up"
    if code < 0:
        return f"was ended by signal {-code} ({signal.Signals(-code).name})"
    return f"ended with code {code}"
