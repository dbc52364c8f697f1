"""The kernel's side of a guarded process: the filter's instructions, notifications, and the calls that serve them.

Sources: seccomp(2), seccomp_unotify(2), linux/seccomp.h, linux/filter.h. Needs Linux 5.6 (pidfd_getfd).
"""

import ctypes
import errno
import fcntl
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Call = Literal["bind", "connect", "listen"]

_ARCHITECTURES: Final[Mapping[str, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: Final[Mapping[str, Mapping[int, Call]]] = {
    "x86_64": {49: "bind", 42: "connect", 50: "listen"},
    "aarch64": {200: "bind", 203: "connect", 201: "listen"},
}
# The same calls for programs of the 32-bit relative: socketcall, bind, connect, listen.
_FOREIGN: Final[Mapping[str, Sequence[int]]] = {"x86_64": (102, 361, 362, 363), "aarch64": (102, 282, 283, 284)}
_IO_URING_SETUP: Final = 425
_X32: Final = 0x40000000

_LOAD_WORD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_NOTIFY: Final = 0x7FC00000
_REFUSE: Final = 0x00050000 | errno.ENOSYS
_OFFSET_NUMBER: Final = 0
_OFFSET_ARCHITECTURE: Final = 4

_NOTIFICATION: Final = struct.Struct("=QII iIQ 6Q")
_RESPONSE: Final = struct.Struct("=QqiI")
_FLAG_CONTINUE: Final = 1


def _ioctl(direction: int, number: int, size: int) -> int:
    return (direction << 30) | (size << 16) | (ord("!") << 8) | number


_RECEIVE: Final = _ioctl(3, 0, _NOTIFICATION.size)
_SEND: Final = _ioctl(3, 1, _RESPONSE.size)
_ID_VALID: Final = _ioctl(1, 2, 8)

_PIDFD_OPEN: Final = 434
_PIDFD_GETFD: Final = 438
_libc = ctypes.CDLL(None, use_errno=True)


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter: bind, connect and listen are told to the listener, io_uring is refused, the rest allowed.

    io_uring would do the three without asking. Programs of another architecture that the processor runs as well
    (32-bit ones) get "no such call" for them.

    :raises KeyError: for a machine that is not supported
    """
    machine = machine or platform.machine()
    calls, foreign = sorted(_CALLS[machine]), _FOREIGN[machine]
    # Jumps count instructions that are skipped. The blocks: architecture, own, its ends, foreign, its ends.
    own: list[tuple[int, int, int, int]] = [(_LOAD_WORD, 0, 0, _OFFSET_NUMBER)]
    tests = [(_JUMP_GREATER_EQUAL, _X32, "refuse"), (_JUMP_EQUAL, _IO_URING_SETUP, "refuse")]
    tests += [(_JUMP_EQUAL, number, "notify") for number in calls]
    ends = {"allow": 0, "refuse": 1, "notify": 2}
    for index, (code, value, goal) in enumerate(tests):
        own.append((code, len(tests) - 1 - index + ends[goal], 0, value))
    own += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _NOTIFY)]
    other: list[tuple[int, int, int, int]] = [(_LOAD_WORD, 0, 0, _OFFSET_NUMBER)]
    numbers = (*foreign, _IO_URING_SETUP)
    other += [(_JUMP_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    other += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    head = [(_LOAD_WORD, 0, 0, _OFFSET_ARCHITECTURE), (_JUMP_EQUAL, 0, len(own), _ARCHITECTURES[machine])]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in [*head, *own, *other])


@dataclass(frozen=True)
class Notification:
    """A thread of the guarded process that waits in one of the calls."""

    id: int
    thread: int
    """Its id as this process sees it."""
    call: Call
    fd: int
    argument: int
    """Address of the socket address in its memory; for listen, the backlog."""
    length: int


class Listener:
    """The receiving end of a filter's notifications; takes the descriptor over."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._calls = _CALLS[platform.machine()]

    def fileno(self) -> int:
        """The descriptor, readable when a notification waits."""
        return self._fd

    def receive(self) -> Notification | None:
        """Return a notification; None when its thread has ended meanwhile.

        :raises OSError: when there is nobody left under the filter
        """
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._fd, _RECEIVE, buffer)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        id_, thread, _flags, number, _architecture, _pointer, fd, argument, length, *_ = _NOTIFICATION.unpack(buffer)
        return Notification(id_, thread, self._calls[number], fd & 0xFFFFFFFF, argument, length & 0xFFFFFFFF)

    def valid(self, notification: Notification) -> bool:
        """Tell whether the thread still waits: what was read of its process in between is its own then."""
        try:
            fcntl.ioctl(self._fd, _ID_VALID, struct.pack("=Q", notification.id))
        except OSError:
            return False
        return True

    def proceed(self, notification: Notification) -> None:
        """Let the kernel do the call as it was asked for."""
        self._send(_RESPONSE.pack(notification.id, 0, 0, _FLAG_CONTINUE))

    def answer(self, notification: Notification, error: int) -> None:
        """Give the call's result: 0, or an error number."""
        self._send(_RESPONSE.pack(notification.id, 0, -error, 0))

    def close(self) -> None:
        """Close it: whoever calls from now on gets "no such call"."""
        os.close(self._fd)

    def _send(self, response: bytes) -> None:
        try:
            fcntl.ioctl(self._fd, _SEND, bytearray(response))
        except OSError as error:
            if error.errno != errno.ENOENT:  # its thread has ended
                raise


def descriptor_of(thread: int, fd: int) -> int:
    """Return a descriptor of this process for what is ``fd`` in the process of ``thread``.

    :raises OSError: when there is no such process or descriptor, or the kernel does not allow it
    """
    pidfd = _call(_PIDFD_OPEN, _process_of(thread), 0)
    try:
        return _call(_PIDFD_GETFD, pidfd, fd, 0)
    finally:
        os.close(pidfd)


def memory_of(thread: int, address: int, length: int) -> bytes:
    """Return ``length`` bytes of the memory of ``thread``.

    :raises OSError: when they cannot be read
    """
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(length)


def _process_of(thread: int) -> int:
    """Return the process of a thread: pidfd_open takes no other."""
    for line in Path(f"/proc/{thread}/status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    raise ProcessLookupError(errno.ESRCH, "no such thread")


def _call(number: int, *arguments: int) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
