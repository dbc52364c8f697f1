"""Puts itself within limits and under a seccomp filter, hands the filter's listener over, becomes another program.

Run by path with ``-I -S``: nothing but the standard library. Arguments, each "-" where there is none: number of a Unix
socket, the filter in hexadecimal, oom_score_adj, processors, entrances of control groups, "scoped"; then the command.
The socket closes with the exec: that is the sign that it took place.
"""

import array
import ctypes
import os
import resource
import socket
import sys
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_FLAG_NEW_LISTENER: Final = 1 << 3
_NUMBER: Final = {"x86_64": 317, "aarch64": 277}
_INSTRUCTION_BYTES: Final = 8
_KEYCTL: Final = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING: Final = 1
# Landlock (landlock(7)): its calls have the same numbers everywhere.
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_SCOPES_SINCE: Final = 6
_ABSTRACT_UNIX_SOCKET: Final = 1
_MOST_FILES: Final = 65_536


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(instructions: bytes) -> int:
    """Put this thread under the filter; return the listener's descriptor.

    :raises OSError: when the kernel refuses it
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    program = _Program(len(instructions) // _INSTRUCTION_BYTES, instructions)
    number = _NUMBER[os.uname().machine]
    fd = libc.syscall(number, _SET_MODE_FILTER, _FLAG_NEW_LISTENER, ctypes.byref(program))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(fd)


def confine(oom_score: str, processors: str, entrances: str) -> None:
    """Take what is asked for; what the kernel refuses is left to the host, which looks."""
    for path in entrances.split(":"):
        if path != "-":
            _write(path, "0")
    # A picture of a crashed process is as large as its memory, and lands on the machine's disk. The hard limit stays:
    # scripts that ask for pictures (ulimit -c) fail where they may not.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    fewer_files()
    if oom_score != "-":
        _write("/proc/self/oom_score_adj", oom_score)
    if processors != "-":
        try:
            os.sched_setaffinity(0, map(int, processors.split(",")))
        except OSError:
            return


def fewer_files() -> None:
    """Allow itself fewer open files than whoever started it may have.

    Of descriptors that are under way in sockets the kernel counts all of a user's together, and refuses to send more
    to whoever's own limit they exceed: an application could leave no camera's frames to the others (unix(7)).
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _MOST_FILES if hard in (resource.RLIM_INFINITY, 0) else min(hard // 2, _MOST_FILES)
    if most >= 1024:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def leave_keys() -> None:
    """Take an empty session keyring: the one of whoever started the nucleus may hold its keys."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(_KEYCTL[os.uname().machine], _JOIN_SESSION_KEYRING, None)


def scope() -> None:
    """Close the abstract Unix sockets of other programs to this process and all it starts; needs Linux 6.12.

    They belong to the network namespace, which the application shares, and not to the file system. Nothing of the file
    system is restricted here, so that bubblewrap may go on mounting.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION) < _SCOPES_SINCE:
        return
    rules = (ctypes.c_uint64 * 3)(0, 0, _ABSTRACT_UNIX_SOCKET)  # file system, network, scopes
    fd = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if fd < 0:
        return
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(_RESTRICT_SELF, fd, 0)
    os.close(fd)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:  # noqa: PTH123 - pathlib would be another import
            file.write(text)
    except OSError:
        return


def main(arguments: list[str]) -> None:
    """Confine, install, hand over, exec."""
    channel, program, oom_score, processors, entrances, scoped = arguments[:6]
    confine(oom_score, processors, entrances)
    leave_keys()
    if scoped != "-":
        scope()
    if channel != "-":
        guard(int(channel), program)
    os.execv(arguments[6], arguments[6:])  # noqa: S606 - what the host says


def guard(number: int, program: str) -> None:
    """Install the filter and hand its listener over."""
    channel = socket.socket(fileno=number)
    try:
        os.set_inheritable(channel.fileno(), False)
        try:
            listener = install(bytes.fromhex(program))
        except (OSError, KeyError) as error:
            channel.send(str(error).encode()[:200] or b"refused")
        else:
            channel.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
            os.close(listener)
    finally:
        channel.detach()  # the exec closes it


if __name__ == "__main__":
    main(sys.argv[1:])
