"""Running uv: bounded, with progress lines, ended with its parent, its failures told apart."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uv as uv_package

from vedette.redaction import redact
from vedette_app_runtime.environments.building import Building, walled
from vedette_app_runtime.environments.errors import EnvironmentFailed

TIMEOUT_S: Final = 1200.0
QUIET_S: Final = 5.0
"""A step without a word for this long is mentioned again."""
LAST_LINES: Final = 20
SYSTEM_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")

_PROGRESS: Final = re.compile(r"\s*(Downloading|Building|Built|Prepared|Installed|Downloaded)\b")
_NETWORK: Final = re.compile(
    r"error sending request|dns error|client error \(Connect\)|Failed to fetch|operation timed out|tcp connect error"
    r"|[Nn]etwork (?:connectivity )?(?:is|was) (?:disabled|unreachable)|[Cc]onnection refused|Could not connect"
)
_FOREIGN: Final = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")

Progress = Callable[[str], None]


class UvFailed(Exception):
    """uv ended with an error.

    :ivar lines: its last lines, without credentials.
    :ivar network: whether it could not reach an index.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        self.network = any(_NETWORK.search(line) for line in self.lines)
        super().__init__("\n".join(self.lines))


class Stopped(EnvironmentFailed):
    """Preparing was asked to stop."""


class Uv:
    """The program uv with its surroundings fixed. ``stop`` ends a run within a tenth of a second."""

    def __init__(self, cache: Path, progress: Progress, stop: threading.Event | None = None) -> None:
        self._binary = find_uv()
        self._progress = progress
        self._stop = stop or threading.Event()
        self._environ = _environment(cache)
        self.offline = False
        """Set when an index could not be reached: from then on only what is in the cache is used."""
        self.unreachable: tuple[str, ...] = ()
        """What uv said then."""

    def __call__(self, step: str, *arguments: str, building: Building | None = None) -> str:
        """Run ``uv <arguments>`` and return its standard output; ``step`` names it in progress lines.

        :param building: what it sees of the machine, when it may run build scripts
        :raises UvFailed: if it ends with an error or takes longer than :data:`TIMEOUT_S`.
        :raises Stopped: if stop was asked for.
        """
        if self._stop.is_set():
            raise Stopped(f"stopped before {step}")
        words = [self._binary, *arguments, *(["--offline"] if self.offline else [])]
        with contextlib.ExitStack() as opened:
            fds: tuple[int, ...] = ()
            if building is not None:
                shown = replace(building, readable=(*building.readable, Path(self._binary)))
                words, fds = walled([*words, "--cache-dir", str(building.cache)], shown, opened)
            return self._run(step, [*_tie(), *words], fds)

    def _run(self, step: str, words: Sequence[str], fds: tuple[int, ...]) -> str:
        started = time.monotonic()
        last: deque[str] = deque(maxlen=LAST_LINES)
        spoke = [started]
        output: list[bytes] = []
        # cwd is the root: no project's pyproject.toml above the cache may change what uv does.
        with subprocess.Popen(
            words,
            cwd="/",
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
        ) as process:
            readers = [
                threading.Thread(target=self._listen, args=(process, last, spoke), name="uv-messages", daemon=True),
                threading.Thread(target=_collect, args=(process, output), name="uv-output", daemon=True),
            ]
            for reader in readers:
                reader.start()
            try:
                self._wait(process, step, started, spoke)
            except BaseException:
                process.kill()
                raise
            finally:
                process.wait()
                for reader in readers:
                    reader.join(5)
        if process.returncode != 0:
            raise UvFailed(tuple(last) or (f"uv ended with {process.returncode} and no message",))
        return b"".join(output).decode(errors="replace")

    def _wait(self, process: "subprocess.Popen[bytes]", step: str, started: float, spoke: list[float]) -> None:
        while True:
            try:
                process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            if self._stop.is_set():
                raise Stopped(f"stopped while {step}")
            if now - started > TIMEOUT_S:
                raise UvFailed((f"{step} took longer than {TIMEOUT_S:.0f} s",))
            if now - spoke[0] > QUIET_S:
                self._progress(f"still {step} ({now - started:.0f} s)")
                spoke[0] = now

    def _listen(self, process: "subprocess.Popen[bytes]", last: "deque[str]", spoke: list[float]) -> None:
        assert process.stderr is not None  # noqa: S101 - asked for above
        for raw in process.stderr:
            line = redact(raw.decode(errors="replace").rstrip())
            last.append(line)
            if _PROGRESS.match(line):
                spoke[0] = time.monotonic()
                self._progress(line.strip())


def find_uv() -> str:
    """Return the path of uv: the one in our own environment, or else on PATH.

    :raises EnvironmentFailed: if there is none.
    """
    try:
        return uv_package.find_uv_bin()
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise EnvironmentFailed(
                "the program uv, which installs applications' libraries, is not there; install it: pip install uv"
            ) from None
        return found


def _collect(process: "subprocess.Popen[bytes]", output: list[bytes]) -> None:
    assert process.stdout is not None  # noqa: S101 - asked for above
    output.extend(process.stdout)


def _tie() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL", "--"]


def _environment(cache: Path) -> dict[str, str]:
    # The nucleus's token and the device's role have no business in a program that may run a package's build script.
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and name != "SVCUID" and not name.startswith("AWS_")
    }
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises for a user without one
    if "UV_CACHE_DIR" not in environ and not os.access(home, os.W_OK):
        environ["UV_CACHE_DIR"] = str(cache / "uv")
    if SYSTEM_CERTIFICATES.exists():
        # A mirror or a proxy of the site signs with an authority that the administrator added to the system.
        for name in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):  # the second is what older releases of uv call it
            environ.setdefault(name, "1")
    return environ | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": "30"}
