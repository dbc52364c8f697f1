"""Runs one lifecycle script in a session of its own and leaves nothing of it behind.

The script's process is not reaped before the rest of its session has been ended: as long as it is a zombie its number
cannot become another process's, so signalling the group by that number is safe.
"""

import asyncio
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from vedette.nucleus import guard_process
from vedette.nucleus.lines import LineSplitter

logger = logging.getLogger(__name__)

PROCESS_MARKER: Final = "VEDETTE_PROCESS"
"""Environment entry that names run, component, step and attempt: what finds processes that left the session."""
_READ_SIZE: Final = 65536
_POLL_S: Final = 0.02
_SIGNAL_ROUNDS: Final = 10
_HALT_LIMIT_S: Final = 2.0
_KILL_LIMIT_S: Final = 2.0
_OUTPUT_LIMIT_S: Final = 0.5

LineSink = Callable[[str, str], None]
"""Takes (stream: ``stdout`` or ``stderr``, line without its end)."""


class ScriptProcess:
    """A running script. Made and used on the event loop's thread; a thread of its own waits for the process."""

    def __init__(
        self,
        script: str,
        *,
        environment: Mapping[str, str],
        folder: Path,
        sink: LineSink,
        linger: bool = False,
        behind: Sequence[str] = (),
    ) -> None:
        """Start ``/bin/sh -c script`` in ``folder``.

        ``behind``: a command that replaces itself with the one that follows it. ``environment`` is complete and holds
        ``PROCESS_MARKER``. With ``linger``, what the script started in the background stays when it ends with 0, until
        ``stop``.

        :raises OSError: if it cannot be started
        """
        self._loop = asyncio.get_running_loop()
        self._marker = f"{PROCESS_MARKER}={environment[PROCESS_MARKER]}".encode()
        self._linger = linger
        self._mutex = threading.Lock()
        self._reaped = False
        self._stop_by: float | None = None
        self.paused = False
        """Whether ``pause`` halted it and ``resume`` has not let it go on."""
        self._open: dict[int, tuple[str, LineSplitter]] = {}
        self._sink = sink
        self._output_ended = asyncio.Event()
        pipes = {"stdout": os.pipe(), "stderr": os.pipe()}
        try:
            self._process = subprocess.Popen(
                [*behind, "/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        except OSError:
            for read_end, _ in pipes.values():
                os.close(read_end)
            raise
        finally:
            for _, write_end in pipes.values():
                os.close(write_end)
        self.pid = self._process.pid
        known = guard_process.process_stat(self.pid)
        self.start = 0 if known is None else known.start
        self.exited: asyncio.Future[int] = self._loop.create_future()
        for stream, (read_end, _) in pipes.items():
            self._follow(stream, read_end)
        threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()

    async def stop(self, grace_s: float) -> None:
        """End the script and everything it started: SIGTERM, ``grace_s`` seconds, SIGKILL. Returns when all is gone."""
        self._stop_by = time.monotonic() + grace_s
        if self.paused:
            await self.resume()  # a halted process does not hear SIGTERM
        self._signal_group(signal.SIGTERM)
        done, _ = await asyncio.wait([self.exited], timeout=grace_s)
        if not done:
            self._signal_group(signal.SIGKILL)
            await asyncio.wait([self.exited], timeout=_KILL_LIMIT_S)
        if self._linger:
            left = max(self._stop_by - time.monotonic(), 0.0)
            await asyncio.to_thread(guard_process.sweep, self._marker, {}, left, left + _KILL_LIMIT_S)
        await self.drain()

    async def pause(self) -> None:
        """Halt the script and everything it started (SIGSTOP)."""
        self.paused = True
        await asyncio.to_thread(self._halt_family)

    async def resume(self) -> None:
        """Let the script and everything it started go on (SIGCONT)."""
        await asyncio.to_thread(self._signal_family, signal.SIGCONT)
        self.paused = False

    def family(self) -> Sequence[int]:
        """Return the numbers of the processes of the script, children and what left its session among them."""
        return [known.pid for known in guard_process.find(self._marker, {self.pid: self.start})]

    async def drain(self) -> None:
        """Read the rest of the output, for a short time; who still holds the pipes after that is not heard any more."""
        try:
            await asyncio.wait_for(self._output_ended.wait(), _OUTPUT_LIMIT_S)
        except asyncio.TimeoutError:
            logger.debug("output of process %d is still open after its end", self.pid)
        self.close()

    def close(self) -> None:
        """Stop reading the output."""
        for descriptor in list(self._open):
            self._end_of(descriptor)

    def _follow(self, stream: str, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._open[descriptor] = (stream, LineSplitter())
        self._loop.add_reader(descriptor, self._read, descriptor)

    def _read(self, descriptor: int) -> None:
        stream, splitter = self._open[descriptor]
        try:
            data = os.read(descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        for line in splitter.feed(data):
            self._sink(stream, line)
        if not data:
            self._end_of(descriptor)

    def _end_of(self, descriptor: int) -> None:
        stream, splitter = self._open.pop(descriptor)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        for line in splitter.rest():
            self._sink(stream, line)
        if not self._open:
            self._output_ended.set()

    def _signal_group(self, number: int) -> None:
        with self._mutex:
            if not self._reaped:
                try:
                    os.killpg(self.pid, number)
                except ProcessLookupError:
                    logger.debug("process group %d is gone already", self.pid)

    def _halt_family(self) -> None:
        self._signal_family(signal.SIGSTOP)
        until = time.monotonic() + _HALT_LIMIT_S
        while time.monotonic() < until:
            family = guard_process.find(self._marker, {self.pid: self.start})
            if all(known.state == "T" for known in family):
                return
            threading.Event().wait(_POLL_S)
        logger.warning("some processes of process %d do not halt", self.pid)

    def _signal_family(self, number: int) -> None:
        """Send a signal to every process of the script; those that come up meanwhile get it as well."""
        told: set[tuple[int, int]] = set()
        for _ in range(_SIGNAL_ROUNDS):
            family = guard_process.find(self._marker, {self.pid: self.start})
            fresh = [known for known in family if (known.pid, known.start) not in told]
            if not fresh:
                return
            for known in fresh:
                guard_process.send(known, number)
                told.add((known.pid, known.start))

    def _wait(self) -> None:
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        clean = status is not None and status.si_code == os.CLD_EXITED and status.si_status == 0
        if not (self._linger and clean):
            self._end_family()
        with self._mutex:
            code = self._process.wait()
            self._reaped = True
        try:
            self._loop.call_soon_threadsafe(self._set_exited, code)
        except RuntimeError:
            logger.debug("process %d ended after its nucleus", self.pid)

    def _set_exited(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)

    def _end_family(self) -> None:
        """End what the script leaves behind; while a stop is under way, its members have until the stop's deadline."""
        session = {self.pid: self.start}
        while self._stop_by is not None and time.monotonic() < self._stop_by:
            if not any(known.session == self.pid for known in guard_process.processes().values()):
                break
            threading.Event().wait(_POLL_S)
        left = guard_process.sweep(self._marker, session, grace_s=0.0, limit_s=_KILL_LIMIT_S)
        if left:
            logger.warning("%d processes of process %d could not be ended", left, self.pid)


def describe_exit(code: int) -> str:
    """Return an exit code as a phrase: ``ended with exit code 3``, ``was killed by SIGKILL``."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
