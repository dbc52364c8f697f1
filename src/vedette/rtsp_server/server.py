"""Starting, stopping and disturbing the server's process."""

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from vedette.rtsp_server.environment import SYSTEM_PYTHON, child_environment
from vedette.rtsp_server.packages import missing_packages

_PROCESS: Final = Path(__file__).with_name("gstreamer_process.py")
_STOP_TIMEOUT_S: Final = 2.0


class RtspServerError(Exception):
    """The server could not be started; the text says why and what to do."""


class RtspServer:
    """Serves ``streams`` (path in the URL -> MP4 file with H.264 or H.265) until stopped; a context manager.

    With ``user`` and ``password`` readers have to log in by ``auth``. ``port`` 0 takes a free port; a server that is
    started again keeps the port it had. The thread that starts the server has to live as long as the server: the kernel
    ends the process with it.
    """

    def __init__(
        self,
        streams: Mapping[str, str | os.PathLike[str]],
        user: str | None = None,
        password: str | None = None,
        *,
        auth: Literal["digest", "basic"] | None = "digest",
        host: str = "127.0.0.1",
        port: int = 0,
        python: str = SYSTEM_PYTHON,
        start_timeout_s: float = 20.0,
    ) -> None:
        self._streams = {name.strip("/"): str(Path(path).absolute()) for name, path in streams.items()}
        self._user = user
        self._password = password
        self._auth = auth if user is not None else None
        self._host = host
        self._port = port
        self._python = python
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port it listens at; 0 before the first start when a free one was asked for."""
        return self._port

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the process is alive (a suspended one is)."""
        return self._process is not None and self._process.poll() is None

    def url(self, path: str) -> str:
        """Return the address of a stream, without credentials."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"rtsp://{host}:{self._port}/{path.strip('/')}"

    def start(self) -> "RtspServer":
        """Start serving; does nothing while it runs.

        :raises RtspServerError: naming the missing file or package, or what is wrong with file or port.
        """
        if self.running:
            return self
        for path in self._streams.values():
            if not Path(path).is_file():
                raise RtspServerError(f"video file {path} does not exist")
        with tempfile.TemporaryFile() as log:
            try:
                self._process = subprocess.Popen(
                    [self._python, "-I", str(_PROCESS)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=child_environment(),
                )
            except OSError as error:
                raise RtspServerError(f"cannot run {self._python}: {error.strerror}") from error
            try:
                answer = self._ask(self._process)
            except RtspServerError as error:
                self.kill()
                log.seek(0)
                raise self._explain(error, log.read().decode(errors="replace")) from error
        self._port = answer["port"]
        return self

    def stop(self) -> None:
        """Stop serving; clients see their connections closed."""
        process = self._process
        if process is None:
            return
        self.resume()
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        self._forget(process)

    def kill(self) -> None:
        """End the process at once, as a camera that loses power."""
        if self._process is not None:
            self._process.kill()
            self._forget(self._process)

    def suspend(self) -> None:
        """Stop the process in its tracks: connections stay open, nothing is answered or sent (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> "RtspServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        process.wait(_STOP_TIMEOUT_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def _ask(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        request = {
            "streams": self._streams,
            "host": self._host,
            "port": self._port,
            "auth": self._auth,
            "user": self._user,
            "password": self._password,
        }
        if process.stdin is None or process.stdout is None:
            raise RtspServerError("the server's process has no pipes")
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError as error:
            raise RtspServerError("the server's process ended at its start") from error
        line = self._read_line(process.stdout.fileno())
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise RtspServerError("the server's process ended at its start") from error
        if "error" in answer:
            raise RtspServerError(answer["error"])
        return answer

    def _read_line(self, fd: int) -> bytes:
        """Read the answer, at most ``start_timeout_s`` long."""
        deadline = time.monotonic() + self._start_timeout_s
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise RtspServerError(f"the server did not answer within {self._start_timeout_s:g} s")
            chunk = os.read(fd, 4096)
            if not chunk:
                break
            line += chunk
        return line

    def _explain(self, error: RtspServerError, log: str) -> RtspServerError:
        """Say which packages are missing where that is the reason; else add the last line of the process's log."""
        missing = missing_packages(self._python)
        if missing:
            return RtspServerError(
                f"GStreamer's RTSP server is not installed; run: sudo apt-get install --no-install-recommends "
                f"{' '.join(missing)}"
            )
        lines = [line for line in log.splitlines() if line.strip()]
        text = str(error)
        return RtspServerError(f"{text}: {lines[-1].strip()}" if lines and "ended at its start" in text else text)
