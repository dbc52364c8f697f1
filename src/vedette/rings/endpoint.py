"""Unix sockets in folders whose paths may be longer than the 107 bytes that an address holds."""

import contextlib
import os
import socket
import stat
import struct
from typing import Collection, FrozenSet, Iterator, Optional

from .errors import RingError

_MAX_ADDRESS_BYTES = 100

ANY_UID: FrozenSet[int] = frozenset([-1])
"""Accept whoever reaches the socket: inside a user namespace the peers' uids mean nothing."""


@contextlib.contextmanager
def _address(path: str) -> Iterator[str]:
    """Yield an address for ``path``, through the folder's descriptor when the path is too long."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS_BYTES:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield "/proc/self/fd/{}/{}".format(folder, os.path.basename(path))
    finally:
        os.close(folder)


def listen(path: str, backlog: int = 16) -> socket.socket:
    """Return a listening SOCK_SEQPACKET socket at ``path``, mode 0600; a stale socket file there is replaced.

    :raises RingError: when the folder is missing or not writable, or ``path`` is something other than a socket.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise RingError("{} exists and is not a socket".format(path))
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with _address(path) as address:
                listener.bind(address)
            os.chmod(path, 0o600)
            listener.listen(backlog)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise RingError("cannot listen at {}: {}".format(path, error.strerror or error)) from error
    return listener


def connect(path: str, timeout_s: float = 1.0) -> socket.socket:
    """Return a blocking socket connected to the ring at ``path``.

    :raises RingError: when nobody listens there within ``timeout_s``.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.settimeout(timeout_s)
        with _address(path) as address:
            sock.connect(address)
        sock.settimeout(None)
    except OSError as error:
        sock.close()
        raise RingError("cannot reach {}: {}".format(path, error.strerror or error)) from error
    return sock


def peer_allowed(sock: socket.socket, allowed_uids: Optional[Collection[int]]) -> bool:
    """Tell whether the process at the other end runs as an allowed user; None allows our own user and root."""
    if allowed_uids is not None and -1 in allowed_uids:
        return True
    _, uid, _ = _peer(sock)
    return uid in ((0, os.geteuid()) if allowed_uids is None else allowed_uids)


def peer_pid(sock: socket.socket) -> int:
    """Return the process that connected the other end, which may have been handed on since."""
    return _peer(sock)[0]


def _peer(sock: socket.socket) -> "tuple[int, int, int]":
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid
