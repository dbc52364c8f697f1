"""The guard: a tiny process that cleans up after a nucleus, however the nucleus ends.

It runs as a script of its own (``python -I -S guard_process.py RUN_ID RUN_FOLDER WORK_FOLDER``) with the smallest
modules of the standard library only. Its standard input is a pipe whose other end only the nucleus holds, so the end of
that pipe is the end of the nucleus, by ``kill -9`` too. Then the guard ends every process of the run, removes sockets
that components left, and deletes the run's folder.

A process belongs to the run if its environment has the run's marker, if it is in a session that the nucleus told of, or
if it is a child of such a process. None is ever signalled by its number alone: marker or start time are checked first.

The nucleus imports the functions here for its own stopping of processes.
"""

import os
import signal
import stat
import sys
import time
from collections import namedtuple

TERM_GRACE_S = 2.0
"""How long processes have between SIGTERM and SIGKILL when their nucleus is gone."""
SWEEP_LIMIT_S = 6.0
_POLL_S = 0.02

# typing costs 1.5 MB of memory, half of what this file otherwise adds to the interpreter; hence no NamedTuple.
ProcessStat = namedtuple("ProcessStat", "pid parent session start state")  # noqa: PYI024


def run_marker(run_id: str) -> bytes:
    """Return the environment entry that every process of a run carries."""
    return b"VEDETTE_RUN_ID=" + run_id.encode()


def process_stat(pid: int) -> "ProcessStat | None":
    """Return what the kernel knows of a process (start in clock ticks since boot), or None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as opened:  # noqa: PTH123 - pathlib is as large as the guard
            # The command may hold blanks and parentheses; the fields begin after the last one.
            fields = opened.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20:
        return None
    return ProcessStat(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0].decode())


def processes() -> "dict[int, ProcessStat]":
    """Return every process of this machine that is not a zombie, by its number."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            known = process_stat(int(name))
            if known is not None and known.state not in "ZX":
                found[known.pid] = known
    return found


def has_marker(pid: int, marker: bytes) -> bool:
    """Tell whether a process was started with the entry ``marker`` in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as opened:  # noqa: PTH123
            return marker in opened.read().split(b"\0")
    except OSError:
        return False


def find(marker: bytes, sessions: "dict[int, int]") -> "list[ProcessStat]":
    """Return the living processes with the marker or of the sessions (leader's pid -> its start), and their children.

    A session whose leader's number now belongs to a process with another start time is a stranger's. This process
    itself is never among them.
    """
    table = processes()
    me = os.getpid()
    found = {}
    for known in table.values():
        if _in_session(known, sessions, table) or has_marker(known.pid, marker):
            found[known.pid] = known
    grew = True
    while grew:
        children = [known for known in table.values() if known.parent in found and known.pid not in found]
        grew = bool(children)
        found.update((known.pid, known) for known in children)
    found.pop(me, None)
    return list(found.values())


def _in_session(known: "ProcessStat", sessions: "dict[int, int]", table: "dict[int, ProcessStat]") -> bool:
    start = sessions.get(known.session)
    if start is None:
        return False
    leader = table.get(known.session)
    return bool(leader.start == start if leader is not None else known.start >= start)


def send(known: "ProcessStat", number: int) -> None:
    """Send a signal to a process unless its number belongs to another process by now."""
    try:
        handle = os.pidfd_open(known.pid)
    except OSError:
        handle = -1  # gone, or a kernel before 5.3: the start time alone must do
    try:
        now = process_stat(known.pid)
        if now is not None and now.start == known.start:
            if handle >= 0:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(known.pid, number)
    except OSError:
        pass
    finally:
        if handle >= 0:
            os.close(handle)


def sweep(marker: bytes, sessions: "dict[int, int]", grace_s: float, limit_s: float = SWEEP_LIMIT_S) -> int:
    """End every process that ``find`` finds: SIGTERM, ``grace_s`` seconds, SIGKILL. Return how many are still there."""
    begun = time.monotonic()
    left = find(marker, sessions)
    if grace_s > 0:
        for known in left:
            send(known, signal.SIGTERM)
        while left and time.monotonic() - begun < grace_s:
            time.sleep(_POLL_S)  # nobody can ask the guard to stop: this wait needs no event
            left = find(marker, sessions)
    while left:
        for known in left:
            send(known, signal.SIGKILL)
        if time.monotonic() - begun > limit_s:
            break
        time.sleep(_POLL_S)
        left = find(marker, sessions)
    return len(left)


def remove_tree(path: str) -> None:
    """Delete a folder; follows no symbolic links and enters no mounted file systems."""
    try:
        device = os.lstat(path).st_dev
        entries = list(os.scandir(path))
    except OSError:
        return
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if status.st_dev == device:
                    remove_tree(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108
        except OSError:
            pass  # a command that cleans up after this run as well may be faster
    try:
        os.rmdir(path)  # noqa: PTH106
    except OSError:
        pass


def remove_sockets(work: str) -> None:
    """Delete the sockets that components left in ``sockets`` and ``attaching`` of ``<work>/<component>``."""
    try:
        folders = [f"{entry.path}/{name}" for entry in os.scandir(work) for name in ("sockets", "attaching")]
    except OSError:
        return
    for folder in folders:
        _remove_sockets_of(folder)


def remove_groups(run_id: str, root: str = "/sys/fs/cgroup") -> None:
    """Delete the control groups of a run, which must have no processes any more."""
    try:
        bases = [root, *(entry.path for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False))]
    except OSError:
        return
    for base in bases:
        group = f"{base}/vedette-{run_id}"
        try:
            inner = [entry.path for entry in os.scandir(group) if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        for path in (*inner, group):
            try:
                os.rmdir(path)  # noqa: PTH106
            except OSError:
                pass


def _remove_sockets_of(folder: str) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                os.unlink(entry.path)  # noqa: PTH108
        except OSError:
            pass  # as above


def clean_up(run_id: str, run_folder: str, work: str, sessions: "dict[int, int]", grace_s: float) -> None:
    """End the run's processes, then remove what they left on disk."""
    sweep(run_marker(run_id), sessions, grace_s)
    remove_sockets(work)
    _remove_sockets_of(os.path.dirname(work))  # noqa: PTH120 -- the nucleus's own, where other users reach it
    remove_groups(run_id)
    remove_tree(run_folder)


def _follow(sessions: "dict[int, int]") -> None:
    """Keep ``sessions`` as the nucleus tells them, until it is gone."""
    rest = b""
    while True:
        data = os.read(0, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == b"session":
                sessions[int(words[1])] = int(words[2])
            elif len(words) == 2 and words[0] == b"forget":
                sessions.pop(int(words[1]), None)


def main(arguments: "list[str]") -> int:
    """Guard one run until its nucleus is gone, then clean up."""
    # Control-C and a closing terminal end the nucleus, which the pipe tells; the guard must outlive them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    run_id, run_folder, work = arguments
    sessions: dict[int, int] = {}
    _follow(sessions)
    clean_up(run_id, run_folder, work, sessions, TERM_GRACE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
