"""Starting, stopping and disturbing the server's process."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

# No keys, tokens or settings of ours.
_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
_STOP_TIMEOUT_S: Final = 2.0


class RtspServerError(Exception):
    """The server could not be started; the text says why and what to do."""


class RtspServer:
    """Serves ``streams`` (path in the URL -> video file) from a process of its own until stopped; a context manager.

    The files hold H.264, H.265 or MJPEG. With ``user`` and ``password`` readers have to log in by ``auth``; with
    ``certificate``, the files of a certificate and its key, they come over TLS. ``port`` 0 takes a free port; a
    server that is started again keeps the port it had. The thread that starts the server has to live as long as the
    server: the kernel ends the process with it.
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
        certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        start_timeout_s: float = 20.0,
    ) -> None:
        self._streams = {name.strip("/"): str(Path(path).absolute()) for name, path in streams.items()}
        self._user = user
        self._password = password
        self._auth = auth if user is not None else None
        self._host = host
        self._port = port
        self._certificate = [str(Path(path).absolute()) for path in certificate] if certificate else None
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
        scheme = "rtsps" if self._certificate else "rtsp"
        return f"{scheme}://{host}:{self._port}/{path.strip('/')}"

    def start(self) -> "RtspServer":
        """Start serving; does nothing while it runs.

        :raises RtspServerError: naming the missing file or package, or what is wrong with file or port.
        """
        if self.running:
            return self
        for path in self._streams.values():
            if not Path(path).is_file():
                raise RtspServerError(f"video file {path} does not exist")
        command, environment = self._command()
        with tempfile.TemporaryFile() as log:
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                )
            except OSError as error:
                raise RtspServerError(f"cannot run {command[0]}: {error.strerror}") from error
            try:
                answer = self._ask(self._process)
            except RtspServerError as error:
                self.kill()
                log.seek(0)
                raise _explain(error, log.read().decode(errors="replace")) from error
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

    def _command(self) -> tuple[list[str], dict[str, str]]:
        """Return what is run, and its environment."""
        environment = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
        return [sys.executable, "-m", "vedette.rtsp_server.process"], environment

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
            "certificate": self._certificate,
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


def _explain(error: RtspServerError, log: str) -> RtspServerError:
    """Add the last line of the process's log where the process has not said itself what is wrong."""
    lines = [line for line in log.splitlines() if line.strip()]
    text = str(error)
    return RtspServerError(f"{text}: {lines[-1].strip()}" if lines and "ended at its start" in text else text)
