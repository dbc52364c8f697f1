"""The socket between a process of the application and its host."""

import array
import os
import select
import socket
import struct
from typing import List, Optional, Tuple

from ._errors import HostGone
from ._protocol import (
    FD_VARIABLE,
    MAX_PACKET_BYTES,
    SOCKET_VARIABLE,
    VERSION,
    WITH_DESCRIPTOR,
    Attach,
    Packet,
    ProtocolError,
    decode,
    encode,
)

_SEND_TIMEOUT_S = 5


class Connection:
    """Packets to and from the host. One thread receives, any thread sends."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # A host that does not read for this long is about to end.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_TIMEOUT_S, 0))

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def send(self, packet: Packet, fd: Optional[int] = None) -> None:
        """Send a packet, with a descriptor for the kinds that carry one. What cannot be sent any more is dropped."""
        rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        try:
            self._sock.sendmsg([encode(packet)], rights)
        except OSError:
            # The host is gone; receive() tells.
            return

    def receive(self, timeout_s: float) -> Optional[Tuple[Packet, Optional[socket.socket]]]:
        """Return a packet and the socket that came with it, or None when none came in time.

        :raises HostGone: when the host has ended.
        :raises ProtocolError: when it sent what cannot be.
        """
        poller = select.poll()
        poller.register(self._sock.fileno(), select.POLLIN)
        if not poller.poll(max(0.0, timeout_s) * 1000):
            return None
        fds = array.array("i")
        try:
            data, ancillary, _flags, _ = self._sock.recvmsg(
                MAX_PACKET_BYTES, socket.CMSG_SPACE(fds.itemsize), socket.MSG_CMSG_CLOEXEC
            )
        except OSError as error:
            raise HostGone("the application's host has ended") from error
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        if not data:
            raise HostGone("the application's host has ended")
        return _with_socket(decode(data), list(fds))

    def shut_down(self) -> None:
        """Let a waiting :meth:`receive` end."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The host has ended already.
            return

    def close(self) -> None:
        """End the connection."""
        self._sock.close()


def _with_socket(packet: Packet, fds: List[int]) -> Tuple[Packet, Optional[socket.socket]]:
    if len(fds) != (1 if isinstance(packet, WITH_DESCRIPTOR) else 0):
        for fd in fds:
            os.close(fd)
        raise ProtocolError("{} came with {} descriptors".format(type(packet).__name__, len(fds)))
    return packet, socket.socket(fileno=fds[0]) if fds else None


def attach() -> Connection:
    """Open a connection of this process to the host, over the socket that the application inherited.

    :raises RuntimeError: when there is none.
    """
    inherited = _inherited() or _connected()
    if inherited is None:
        raise RuntimeError(
            "panoramasdk works in an application that Vedette has started, and this process was not ({} names no "
            "socket): run the application with 'vedette run'".format(FD_VARIABLE)
        )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        Connection(inherited).send(Attach(VERSION, os.getpid()), theirs.fileno())
    finally:
        inherited.close()
        theirs.close()
    return Connection(ours)


def _inherited() -> Optional[socket.socket]:
    """Return the socket that the application inherited; None where this process has another thing of that number."""
    try:
        sock = socket.socket(fileno=os.dup(int(os.environ.get(FD_VARIABLE, ""))))
    except (ValueError, OSError):
        return None
    if sock.family == socket.AF_UNIX and sock.type & socket.SOCK_SEQPACKET == socket.SOCK_SEQPACKET:
        return sock
    sock.close()
    return None


def _connected() -> Optional[socket.socket]:
    """Return a connection to the host by its path; None where there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(os.environ.get(SOCKET_VARIABLE, ""))
    except OSError:
        sock.close()
        return None
    return sock
