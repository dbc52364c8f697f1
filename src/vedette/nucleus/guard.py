"""Starts the guard process, tells it of sessions, and starts a new one should it die."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from vedette.nucleus import guard_process

logger = logging.getLogger(__name__)

_RESTART_PAUSE_S: Final = 0.2


class Guard:
    """The nucleus's end of the guard. Methods may be called from any thread."""

    def __init__(self, run_id: str, run_folder: Path, work_folder: Path, *, lock: int | None = None) -> None:
        """Prepare a guard; ``lock`` is a descriptor that the guard keeps open until it has cleaned up."""
        self.restarts = 0
        self._arguments = [run_id, str(run_folder), str(work_folder)]
        self._lock_descriptor = lock
        self._sessions: dict[int, int] = {}
        self._mutex = threading.Lock()
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._watcher = threading.Thread(target=self._watch, name="nucleus-guard", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process number of the guard."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start the guard; it needs no time to be ready, the pipe keeps for it what it is told."""
        self._spawn()
        self._watcher.start()

    def record(self, leader: int, start: int) -> None:
        """Tell the guard of a session: its leader's process number and start time (clock ticks since boot)."""
        with self._mutex:
            self._sessions[leader] = start
            self._tell(f"session {leader} {start}\n")

    def forget(self, leader: int) -> None:
        """Tell the guard that nothing is left of a session."""
        with self._mutex:
            if self._sessions.pop(leader, None) is not None:
                self._tell(f"forget {leader}\n")

    def close(self, timeout_s: float) -> bool:
        """End the guard: it cleans up and exits. Return whether it has, within ``timeout_s`` seconds."""
        self._closing.set()
        with self._mutex:
            self._hang_up()
            process = self._process
        if process is None:
            return True
        try:
            process.wait(timeout=max(timeout_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _spawn(self) -> None:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)  # a guard that is stopped must not stop the nucleus
        inherited = () if self._lock_descriptor is None else (self._lock_descriptor,)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard_process.__file__, *self._arguments],
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Not the nucleus's own environment: the guard must not carry the marker of any run.
                env={key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ},
                cwd="/",
                start_new_session=True,
                pass_fds=inherited,
            )
        except OSError:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        with self._mutex:
            self._process, self._pipe = process, write_end
            for leader, start in self._sessions.items():
                self._tell(f"session {leader} {start}\n")
            if self._closing.is_set():
                self._hang_up()

    def _watch(self) -> None:
        while True:
            process = self._process
            if process is not None:
                process.wait()
            if self._closing.wait(_RESTART_PAUSE_S):
                return
            self.restarts += 1
            logger.warning("the guard process ended; starting another one")
            with self._mutex:
                self._hang_up()
            try:
                self._spawn()
            except OSError as error:
                logger.error("the guard process cannot be started: %s", error.strerror)  # noqa: TRY400
                self._process = None

    def _tell(self, line: str) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, line.encode())
        except BlockingIOError:
            logger.warning("the guard process does not read; it finds processes by their environment only")
        except OSError:
            pass  # it has just ended: the next one is told everything again

    def _hang_up(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
