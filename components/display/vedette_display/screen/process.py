"""Keeps the screen's process: starts it, tells it what to show, hears how it does, starts it again when it ends."""

import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from typing import Final

from pydantic import ValidationError

from vedette_display.screen.scene import Report, Scene

logger = logging.getLogger(__name__)

AGAIN_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Before the next start after an end; an X server that ends takes the process with it, and is soon back."""
GOOD_S: Final = 30.0
STOP_S: Final = 1.0
_LOOK_S: Final = 0.25
_PASSED_ON: Final = (
    "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TZ",
    "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE",
)  # fmt: skip
_PASSED_ON_TOO: Final = ("SDL_", "MESA_", "LIBGL_", "GALLIUM_", "EGL_", "GBM_", "__EGL_", "__GLX_")
"""By these an operator helps a driver that does not do what it should.

Not the nucleus's socket and token: the process shows pictures and speaks to drivers."""


class ScreenProcess:
    """``window``: on a desktop, for developers. Everything may be called from any thread."""

    def __init__(self, *, window: bool = False) -> None:
        self._window = window
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._scene: Scene | None = None
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._report: tuple[float, Report] | None = None
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        """Begin to keep the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the process; the screen is given back."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S * 2)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        process = self._process
        return None if process is None else process.pid

    def report(self) -> Report | None:
        """Return the last report if it is not old."""
        held = self._report
        return held[1] if held is not None and time.monotonic() - held[0] < 4.0 else None

    def show(self, scene: Scene) -> None:
        """Show a scene; a process that starts later shows the newest."""
        with self._lock:
            self._scene = scene
            self._send()

    def _send(self) -> None:
        if self._socket is None or self._scene is None:
            return
        line = self._scene.model_dump_json().encode() + b"\n"
        try:
            self._socket.sendall(line)
        except OSError:
            return  # the process has ended, or is stuck: its own watch sees to that

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run_once()
            except OSError as error:
                logger.warning("the screen's process cannot be started: %s", error.strerror)
            if self._stop.is_set():
                return
            tries = 0 if time.monotonic() - began > GOOD_S else min(tries + 1, len(AGAIN_S) - 1)
            self._stop.wait(AGAIN_S[tries])

    def _run_once(self) -> None:
        own, other = socket.socketpair()
        own.settimeout(1.0)
        environment = {
            name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_TOO)
        }
        level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
        environment.update(PYTHONUNBUFFERED="1", VEDETTE_LOG_LEVEL=level)
        command = [sys.executable, "-m", "vedette_display.screen", str(other.fileno())]
        try:
            process = subprocess.Popen(
                command + (["--window"] if self._window else []),
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        except OSError:
            own.close()
            raise
        finally:
            other.close()
        self._process = process
        with self._lock:
            self._socket = own
            self._send()
        try:
            self._listen(own)
        finally:
            with self._lock:
                self._socket = None
            own.close()
            self._end(process)
            self._process = None

    def _listen(self, sock: socket.socket) -> None:
        rest = b""
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        while not self._stop.is_set():
            if not poller.poll(_LOOK_S * 1000):
                continue
            try:
                data = sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            if lines:
                self._hear(lines[-1])

    def _hear(self, line: bytes) -> None:
        try:
            report = Report.model_validate_json(line)
        except ValidationError:
            return
        before = self._report[1] if self._report is not None else None
        self._report = time.monotonic(), report
        if before is None or before.state != report.state:
            logger.info("the screen: %s %s", report.state, report.detail or f"{report.width}x{report.height}")

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if not self._stop.is_set():
            logger.warning("the screen's process ended (%d) and is started again", code)
