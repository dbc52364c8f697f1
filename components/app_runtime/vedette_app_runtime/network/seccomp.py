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

from vedette_app_runtime.system_calls.assembly import NOTIFY, Rule, assemble, refuse

Call = Literal["bind", "connect", "listen"]

_CALLS: Final[Mapping[str, Mapping[int, Call]]] = {
    "x86_64": {49: "bind", 42: "connect", 50: "listen"},
    "aarch64": {200: "bind", 203: "connect", 201: "listen"},
}
# The same calls for programs of the 32-bit relative: socketcall, bind, connect, listen.
_FOREIGN: Final[Mapping[str, Sequence[int]]] = {"x86_64": (102, 361, 362, 363), "aarch64": (102, 282, 283, 284)}
_IO_URING_SETUP: Final = 425
# sendto, sendmmsg: their flags are argument 3; sendmsg: argument 2. With this flag they connect (tcp(7)).
_SENDING: Final[Mapping[str, Sequence[tuple[int, int]]]] = {
    "x86_64": ((44, 3), (307, 3), (46, 2)),
    "aarch64": ((206, 3), (269, 3), (211, 2)),
}
_SENDING_FOREIGN: Final[Mapping[str, Sequence[tuple[int, int]]]] = {
    "x86_64": ((369, 3), (345, 3), (370, 2)),
    "aarch64": ((290, 3), (374, 3), (296, 2)),
}
_MSG_FASTOPEN: Final = 0x20000000

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
    """Return the filter: bind, connect and listen are told to the listener, what goes round them is refused.

    io_uring would do the three without asking, and sending with MSG_FASTOPEN connects. Programs of another
    architecture that the processor runs as well (32-bit ones) get "no such call" for all of them.

    :raises KeyError: for a machine that is not supported
    """
    machine = machine or platform.machine()
    missing = refuse(errno.ENOSYS)
    own = [Rule(_IO_URING_SETUP, missing), *(Rule(number, NOTIFY) for number in sorted(_CALLS[machine]))]
    foreign = [Rule(number, missing) for number in (*_FOREIGN[machine], _IO_URING_SETUP)]
    return assemble(
        machine, [*own, *_fast_open(_SENDING[machine])], [*foreign, *_fast_open(_SENDING_FOREIGN[machine])], missing
    )


def _fast_open(sending: Sequence[tuple[int, int]]) -> list[Rule]:
    return [
        Rule(number, refuse(errno.EOPNOTSUPP), argument=flags, test="any bit", value=_MSG_FASTOPEN)
        for number, flags in sending
    ]


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
        try:
            memory.seek(address)
        except OverflowError as error:  # a number that is nobody's address
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from error
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
