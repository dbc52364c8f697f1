"""The two ways a stream comes: inside the RTSP connection, or as datagrams beside it. Every wait is bounded."""

import contextlib
import errno
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

from vedette.rtsp.errors import ConnectionClosed, NotRtsp, RtspError
from vedette.rtsp.interleaving import Interleaving, Run
from vedette.rtsp.message import Response, ResponseReader

_RECEIVE_BUFFER_BYTES: Final = 2 * 1024 * 1024
_LONGEST_DATAGRAM: Final = 65_536
# At one time, so that whoever reads gets to look at its clock.
_MOST_DATAGRAMS: Final = 256
_PAIRS_TRIED: Final = 32


class Media(NamedTuple):
    """A packet: RTP, or RTCP (``control``). It may lie in memory that is used again for the next ones."""

    control: bool
    data: memoryview


class Link(Protocol):
    """Where a stream's packets come from."""

    def receive(self, wait_s: float) -> Iterator[Media | Response | None]:
        """Yield what has come; nothing when nothing comes in time. None: there may be a run, see ``InterleavedLink``.

        :raises ConnectionClosed: when the server has closed the connection.
        :raises NotRtsp: when what comes makes no sense any more.
        """

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet, if there is room for it."""

    def close(self) -> None:
        """Let go of what is not the RTSP connection's."""


class InterleavedLink:
    """On two channels of the RTSP connection ``sock``; ``rest`` has been read of it already."""

    def __init__(self, sock: socket.socket, channels: tuple[int, int], rest: bytes, where: str) -> None:
        self._sock = sock
        self._channels = channels
        self._cutter = Interleaving(channels, rest)
        self._where = where

    def receive(self, wait_s: float) -> Iterator[Media | Response | None]:
        """Yield what has come, see :class:`Link`; None when there is more of it, for :meth:`run`."""
        try:
            yield from self._cut()
            count = _receive(self._sock, self._cutter.room, wait_s, self._where)
            if count:
                self._cutter.received(count)
                yield None
                yield from self._cut()
        except RtspError as error:
            raise NotRtsp(f"What {self._where} sends makes no sense any more: {error}") from error

    def run(self, like: Run, into: bytearray) -> int:
        """Take what has come of a run, while :meth:`receive` yields: see :meth:`Interleaving.run`."""
        return self._cutter.run(like, into)

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet, see :class:`Link`."""
        with contextlib.suppress(OSError):
            self._sock.sendall(struct.pack(">BBH", 0x24, self._channels[1], len(packet)) + packet)

    def close(self) -> None:
        """Do nothing: the connection is closed by whoever made it."""

    def _cut(self) -> Iterator[Media | Response]:
        control = self._channels[1]
        while (found := self._cutter.next()) is not None:
            yield found if isinstance(found, Response) else Media(found[0] == control, found[1])


class DatagramLink:
    """On two ports of this machine, from the ``hosts`` that are the camera's; ``sock`` is the RTSP connection."""

    def __init__(self, sock: socket.socket, where: str) -> None:
        self._sock = sock
        self._where = where
        self._answers = ResponseReader()
        self._rtp, self._rtcp = _pair(sock.family, sock.getsockname()[0])
        self._target: tuple[Any, ...] | None = None
        self._hosts: frozenset[str] = frozenset()
        self._poll = select.poll()
        for each in (self._rtp, self._rtcp, sock):
            self._poll.register(each, select.POLLIN)

    @property
    def ports(self) -> tuple[int, int]:
        """The two ports, RTP and RTCP."""
        return self._rtp.getsockname()[1], self._rtcp.getsockname()[1]

    def open(self, ports: tuple[int, int] | None, source: str | None, rest: bytes) -> None:
        """Take packets of the server, whose ``ports`` they come from; ``rest`` of the connection is read already."""
        peer = self._sock.getpeername()
        self._hosts = frozenset(host for host in (peer[0], source) if host)
        self._answers.receive_data(rest)
        if ports is None:
            return
        self._target = (peer[0], ports[1], *peer[2:])
        # Opens the way back through a firewall that lets in what was asked for.
        with contextlib.suppress(OSError):
            self._rtp.sendto(struct.pack(">BBHII", 0x80, 0, 0, 0, 0), (peer[0], ports[0], *peer[2:]))

    def receive(self, wait_s: float) -> Iterator[Media | Response]:
        """Yield what has come, see :class:`Link`."""
        ready = {descriptor for descriptor, _ in self._poll.poll(wait_s * 1000)}
        for sock, control in ((self._rtcp, True), (self._rtp, False)):
            if sock.fileno() not in ready:
                continue
            with contextlib.suppress(BlockingIOError):
                for _ in range(_MOST_DATAGRAMS):
                    data, sender = sock.recvfrom(_LONGEST_DATAGRAM)
                    if sender[0] in self._hosts:
                        yield Media(control, memoryview(data))
        if self._sock.fileno() in ready:
            try:
                self._answers.receive_data(_read(self._sock, self._where))
                while (response := self._answers.next_response()) is not None:
                    yield response
            except RtspError as error:
                raise NotRtsp(f"What {self._where} answers makes no sense: {error}") from error

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet, see :class:`Link`."""
        if self._target is not None:
            with contextlib.suppress(OSError):
                self._rtcp.sendto(packet, self._target)

    def close(self) -> None:
        """Let go of the ports."""
        self._rtp.close()
        self._rtcp.close()


def _receive(sock: socket.socket, room: memoryview, wait_s: float, where: str) -> int:
    """Receive into ``room``; return how many bytes, 0 when none came in time.

    :raises ConnectionClosed: when the connection is over.
    """
    if sock.gettimeout() != wait_s:
        sock.settimeout(wait_s)
    try:
        count = sock.recv_into(room)
    except TimeoutError:
        return 0
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise ConnectionClosed(f"The connection to {where} broke ({reason})") from error
    if not count:
        raise ConnectionClosed(f"{where} closed the connection")
    return count


def _read(sock: socket.socket, where: str) -> bytes:
    room = bytearray(16 * 1024)
    return bytes(room[: _receive(sock, memoryview(room), 0.1, where)])


def _pair(family: socket.AddressFamily | int, host: str) -> tuple[socket.socket, socket.socket]:
    """Return two sockets with neighbouring ports, the first one even, as RFC 3550 asks for."""
    for _ in range(_PAIRS_TRIED):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in (1, 2))
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                for each in (first, second):
                    each.setblocking(False)
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
                return first, second
        except OSError:
            pass
        first.close()
        second.close()
    raise ConnectionClosed("There are no two neighbouring ports for the stream on this machine")
