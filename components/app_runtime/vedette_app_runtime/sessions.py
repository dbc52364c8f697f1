"""The host's side of the sockets to the application's processes."""

import array
import logging
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vedette_app_runtime import protocol

logger = logging.getLogger(__name__)

_DESCRIPTOR_FLOOR: Final = 100
"""Scripts use the low numbers for redirections of their own (``exec 3>&1``); bash itself uses 10 and 255."""
SOCKET: Final = "host"
"""Name of the socket in the folder."""
_CONNECTED_S: Final = 0.2
MAIN_KEPT_S: Final = 10.0
"""How long a camera's main stream is kept open for a process that has asked for a frame of it."""
MAX_SESSIONS: Final = 64
"""Processes of one application that may use panoramasdk at once."""


class SessionClosed(Exception):
    """The process at the other end has ended, or sent what cannot be."""


@dataclass
class Session:
    """One process of the application that uses panoramasdk."""

    sock: socket.socket
    pid: int
    """As the process itself sees it, inside its namespace."""
    report: protocol.Report | None = None
    cameras: set[int] = field(default_factory=set)
    """Cameras that it has a connection to."""
    mains: set[int] = field(default_factory=set)
    """Cameras to whose main stream it has a connection."""
    mains_wanted: dict[int, float] = field(default_factory=dict)
    """When it asked last for a camera's main stream (monotonic, s)."""
    models: set[str] = field(default_factory=set)
    tried: dict[object, float] = field(default_factory=dict)
    """When a connection was handed over last, by camera and model."""
    told: dict[object, protocol.Packet] = field(default_factory=dict)
    """Last state told, by camera and model: each is told once."""

    def send(self, packet: protocol.Packet, fd: int | None = None) -> bool:
        """Send a packet; False when the process takes nothing at present, or is gone."""
        rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        try:
            self.sock.sendmsg([protocol.encode(packet)], rights, socket.MSG_DONTWAIT)
        except OSError:
            return False
        except protocol.ProtocolError as error:
            logger.error("the application is not told: %s", error)  # noqa: TRY400 - the reason says it all
            return False
        return True

    def tell(self, key: object, packet: protocol.Packet) -> None:
        """Send a state packet unless it is what was told last under ``key``."""
        if self.told.get(key) != packet and self.send(packet):
            self.told[key] = packet

    def receive(self) -> protocol.Packet | None:
        """Return a packet, or None when none waits.

        :raises SessionClosed: when the process is gone or broke the protocol
        """
        try:
            data = self.sock.recv(protocol.MAX_PACKET_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise SessionClosed("its socket failed") from error
        if not data:
            raise SessionClosed("it has ended")
        try:
            return protocol.decode(data)
        except protocol.ProtocolError as error:
            raise SessionClosed(str(error)) from error

    def close(self) -> None:
        """End the connection."""
        self.sock.close()


def mains_wanted(sessions: Iterable[Session], now: float) -> set[int]:
    """Return the cameras whose main stream some process has asked for lately; forget who has not."""
    for session in sessions:
        session.mains_wanted = {camera: at for camera, at in session.mains_wanted.items() if now - at < MAIN_KEPT_S}
    return {camera for session in sessions for camera in session.mains_wanted}


class AttachPoint:
    """The socket that an application inherits, over which each of its processes attaches."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make it; ``folder`` gets a socket for processes that did not inherit ours, see :data:`SOCKET`."""
        self._complained = False
        """Whether the log has it already that somebody attaches wrongly: who does so may go on with it."""
        self.listener: socket.socket | None = None
        self._folder = folder
        if folder is not None:
            self.listener = _listen(folder)
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.child_fd = _duplicate_high(theirs.fileno())
        finally:
            theirs.close()

    def started(self) -> None:
        """Close our copy of the application's end, so that the end of its last process is seen."""
        if self.child_fd >= 0:
            os.close(self.child_fd)
            self.child_fd = -1

    def accept(self) -> Session | None:
        """Return the session of a process that attaches, or None when none does (or its packet cannot be).

        :raises SessionClosed: when no process holds the other end any more
        """
        return self._accept_connected() or self._receive(self.sock)

    def _accept_connected(self) -> Session | None:
        """Return the session of a process that came by the path; it sends at once, or is not waited for."""
        if self.listener is None:
            return None
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return None
        with connection:
            connection.setblocking(True)
            connection.settimeout(_CONNECTED_S)
            try:
                return self._receive(connection, flags=0)
            except SessionClosed:
                return None

    def _receive(self, sock: socket.socket, flags: int = socket.MSG_DONTWAIT) -> Session | None:
        fds = array.array("i")
        space = socket.CMSG_SPACE(fds.itemsize)
        try:
            data, ancillary, _, _ = sock.recvmsg(protocol.MAX_PACKET_BYTES, space, flags | socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except OSError as error:
            raise SessionClosed("the socket failed") from error
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        if not data:
            raise SessionClosed("the application has closed it")
        try:
            return _session(data, list(fds))
        except _WrongAttach as error:
            if not self._complained:
                logger.error("a process of the application cannot attach: %s", error)  # noqa: TRY400 - says it all
            self._complained = True
            return None

    def close(self) -> None:
        """Close both ends."""
        self.started()
        self.sock.close()
        if self.listener is not None and self._folder is not None:
            self.listener.close()
            (self._folder / SOCKET).unlink(missing_ok=True)
            self.listener = None


def _listen(folder: Path) -> socket.socket:
    """Return a listening socket in ``folder``, which is shown to the application alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / SOCKET
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A socket's path has at most 107 bytes, and work folders may lie deep.
        sock.bind(f"/proc/self/fd/{handle}/{SOCKET}")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(handle)
    sock.listen(MAX_SESSIONS)
    return sock


class _WrongAttach(Exception):
    """What came over the socket is no attaching process."""


def _session(data: bytes, fds: list[int]) -> Session:
    """Return the session of who sent this; takes the descriptors over.

    :raises _WrongAttach: when it cannot be one
    """
    try:
        try:
            packet = protocol.decode(data)
        except protocol.ProtocolError as error:
            raise _WrongAttach(str(error)) from error
        if not isinstance(packet, protocol.Attach) or len(fds) != 1:
            raise _WrongAttach(f"it sent {type(packet).__name__} with {len(fds)} descriptors")
        if packet.version != protocol.VERSION:
            raise _WrongAttach(f"panoramasdk speaks version {packet.version}, this host {protocol.VERSION}")
        try:
            sock = socket.socket(fileno=fds[0])
        except OSError as error:
            raise _WrongAttach(f"it sent something else than a socket ({error.strerror})") from error
        fds.clear()
        if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_SEQPACKET:
            sock.close()
            raise _WrongAttach("it sent a socket of another kind")
        return Session(sock, packet.pid)
    finally:
        for fd in fds:
            os.close(fd)


def _duplicate_high(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _DESCRIPTOR_FLOOR)
