"""The application's own process behind bubblewrap's two, and ending it politely."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

_WRAPPER: Final = "bwrap"
_LAUNCHER: Final = b"/sandbox/launcher.py\0"
_WRAPPERS: Final = 2
"""How many of them there are: an application may call itself bwrap, too."""
_POLL_S: Final = 0.02


def application_pid(pid: int) -> int | None:
    """Return the host's process id of the application that the started process ``pid`` runs.

    Bubblewrap stands as two processes before it: one outside, and the first of the new process namespace. None while
    the application is not there yet, or no longer.
    """
    if _is_launcher(pid):
        return None
    for _ in range(_WRAPPERS):
        if not _is_wrapper(pid):
            break
        child = _first_child(pid)
        if child is None:
            return None
        pid = child
    return pid if _name(pid) else None


def stop(process: "subprocess.Popen[bytes]", grace_s: float) -> int:
    """End the application: SIGTERM to it, SIGKILL to all of the sandbox after ``grace_s``; return the exit code.

    SIGTERM to bubblewrap would not reach the application: it would be killed without a word.
    :raises subprocess.TimeoutExpired: if the kernel has not ended it 5 s after SIGKILL (stuck in a device).
    """
    pid = application_pid(process.pid) if process.poll() is None else None
    if pid is not None:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        try:
            return process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
    _kill(process)
    return process.wait(5)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill it and its child: bubblewrap's second process waits for ever when the first ends while it sets that up."""
    children: list[int] = []
    try:
        for child in _children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                children.append(os.pidfd_open(child))
        process.kill()
        for fd in children:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        for fd in children:
            os.close(fd)


def wait_for_application(
    process: "subprocess.Popen[bytes]", stop_event: threading.Event, timeout_s: float
) -> int | None:
    """Return the application's process id as soon as bubblewrap has started it; None on stop, end or time-out."""
    until = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < until:
        pid = application_pid(process.pid)
        if pid is not None:
            return pid
        if stop_event.wait(_POLL_S):
            return None
    return None


def _is_launcher(pid: int) -> bool:
    # Nothing stands there while the kernel loads the launcher, nor when the process has ended: no application either.
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        return not line or _LAUNCHER in line
    except OSError:
        return False


def _is_wrapper(pid: int) -> bool:
    # For an instant after Popen has returned, the kernel still gives the name of who forked; the file is new already.
    try:
        program = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        program = ""
    return _WRAPPER in {program, _name(pid)}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _first_child(pid: int) -> int | None:
    return next(iter(_children(pid)), None)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
