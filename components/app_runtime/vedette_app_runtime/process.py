"""One run of the application: its process in the sandbox, its console, the sessions of its processes."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Final

from vedette_app_runtime import protocol
from vedette_app_runtime.console import ConsoleLog
from vedette_app_runtime.sandbox import SandboxSpec, application_pid, stop
from vedette_app_runtime.sessions import MAX_SESSIONS, AttachPoint, Session, SessionClosed

logger = logging.getLogger(__name__)

_DRAIN_S: Final = 1.0

Start = Callable[[SandboxSpec, Sequence[str], AttachPoint, int], "subprocess.Popen[bytes]"]
"""Starts the application: (view, command, attach point, descriptor for its console) -> process."""


class ApplicationProcess:
    """A started application. Everything is called by one thread, the one that made it."""

    def __init__(self, spec: SandboxSpec, argv: Sequence[str], console: ConsoleLog, start: Start) -> None:
        """Start it; ``spec.guard`` ends with it.

        :raises SandboxError: when the sandbox does not work here
        :raises OSError: when the process cannot be started
        """
        self.attach_point = AttachPoint(spec.host_dir)
        self.sessions: list[Session] = []
        self.attached = False
        """Whether a process of it has used panoramasdk."""
        self._crowded = False
        self._console = console
        self._guard = spec.guard
        self._pid: int | None = None
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = start(spec, argv, self.attach_point, write)
        except BaseException:
            os.close(read)
            self.attach_point.close()
            self._end_guard()
            raise
        finally:
            os.close(write)
        self.attach_point.started()
        # bubblewrap is in our own process group; without it the application leads one, which is ended with it.
        self._own_group = _leads_group(self._process.pid)
        console.begin()
        self._pump = threading.Thread(target=console.pump, args=(read,), name="console", daemon=True)
        self._pump.start()

    @property
    def root_pid(self) -> int:
        """Process id of what was started: all of the application's processes are below it."""
        return self._process.pid

    @property
    def pid(self) -> int | None:
        """Process id of the application itself on the host, once it is there."""
        if self._pid is None and self._process.returncode is None:
            self._pid = application_pid(self._process.pid)
        return self._pid

    def poll(self) -> int | None:
        """Return the exit code once the application has ended; what it left running is ended with it."""
        code = self._process.poll()
        if code is not None:
            self._clear_up()
        return code

    def end(self, grace_s: float) -> int:
        """End the application: ask, wait ``grace_s``, kill; return the exit code."""
        try:
            code = stop(self._process, grace_s)
        except subprocess.TimeoutExpired:
            logger.error("process %d did not end on SIGKILL", self._process.pid)  # noqa: TRY400 - nothing to trace
            code = -signal.SIGKILL
        self._clear_up()
        return code

    def accept(self) -> list[Session]:
        """Return the sessions of processes that have attached since the last call."""
        accepted: list[Session] = []
        try:
            # No more at once: whoever goes on attaching must not keep the host from everything else.
            for _ in range(MAX_SESSIONS):
                session = self.attach_point.accept()
                if session is None:
                    break
                if len(self.sessions) >= MAX_SESSIONS:
                    if not self._crowded:
                        logger.warning("more than %d processes of the application use panoramasdk", MAX_SESSIONS)
                    self._crowded = True
                    session.close()
                    continue
                accepted.append(session)
                self.sessions.append(session)
                self.attached = True
        except SessionClosed:
            self.attach_point.close()
        return accepted

    def report(self) -> protocol.Report:
        """Return the sum of what its processes have reported."""
        reports = [session.report for session in self.sessions if session.report is not None]
        reads: dict[str, int] = {}
        for each in reports:
            for name, count in each.reads.items():
                reads[name] = reads.get(name, 0) + count
        timed = [each.call_ms for each in reports if each.call_ms >= 0]
        return protocol.Report(
            gets=sum(each.gets for each in reports),
            puts=sum(each.puts for each in reports),
            calls=sum(each.calls for each in reports),
            call_ms=max(timed, default=-1.0),
            last_activity=max((each.last_activity for each in reports), default=0.0),
            waiting=sum(each.waiting for each in reports),
            inputs=[entry for each in reports for entry in each.inputs],
            outputs=[entry for each in reports for entry in each.outputs],
            reads=reads,
        )

    def _clear_up(self) -> None:
        if self._own_group:
            self._own_group = False
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._end_guard()
        for session in self.sessions:
            session.close()
        self.sessions.clear()
        self.attach_point.close()
        # A process that left the sandbox's reach could hold the pipe open: the thread is then left to itself.
        self._pump.join(_DRAIN_S)

    def _end_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.close()


def _leads_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False
