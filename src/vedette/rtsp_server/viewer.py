"""One stream on its way to one viewer: what is sent, over which transport, and what is left out for one that is slow.

A viewer never makes the server wait or grow: what it does not take is left out up to the next key frame, and one that
takes nothing for a while is told off.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final, Protocol

from vedette.rtsp_server.access_unit import AccessUnit
from vedette.rtsp_server.rtp import Packer

# As much as a viewer may be behind: about 4 s of a stream of 4 Mb/s, one large key frame in any case.
MOST_WAITING_BYTES: Final = 2 * 1024 * 1024
MOST_STUCK_S: Final = 10.0
_REPORT_S: Final = 5.0


class Wire(Protocol):
    """How packets reach the viewer."""

    @property
    def waiting_bytes(self) -> int:
        """What has been given and not sent yet."""

    def send(self, packets: list[bytes]) -> None:
        """Send the RTP packets of one picture."""

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet."""

    def close(self) -> None:
        """Let go of what is the stream's own."""


class InterleavedWire:
    """In the RTSP connection: four bytes before every packet."""

    def __init__(self, transport: asyncio.WriteTransport, rtp: int, rtcp: int) -> None:
        self._transport = transport
        self._rtp = rtp
        self._rtcp = rtcp

    @property
    def waiting_bytes(self) -> int:
        """What the connection has not taken yet."""
        return self._transport.get_write_buffer_size()

    def send(self, packets: list[bytes]) -> None:
        """Send the packets in one piece."""
        framed = []
        for packet in packets:
            framed += [b"$", bytes([self._rtp]), len(packet).to_bytes(2, "big"), packet]
        self._transport.write(b"".join(framed))

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet."""
        if not self._transport.is_closing():
            self._transport.write(b"$" + bytes([self._rtcp]) + len(packet).to_bytes(2, "big") + packet)

    def close(self) -> None:
        """Nothing: the connection belongs to somebody else."""


class DatagramWire:
    """Over UDP, from a pair of sockets to a pair of ports. What the kernel has no room for is lost, as UDP is."""

    waiting_bytes = 0

    def __init__(self, rtp: socket.socket, rtcp: socket.socket, to_rtp: object, to_rtcp: object) -> None:
        self._rtp = rtp
        self._rtcp = rtcp
        self._to_rtp = to_rtp
        self._to_rtcp = to_rtcp

    def came(self, sock: socket.socket, sender: object) -> None:
        """Something came from the viewer: an address translator on the way has given it this port, so answer there."""
        if sock is self._rtp:
            self._to_rtp = sender
        else:
            self._to_rtcp = sender

    def send(self, packets: list[bytes]) -> None:
        """Send packet by packet."""
        # A viewer that is gone refuses the packet before: the control connection tells that, too.
        with contextlib.suppress(OSError):
            for packet in packets:
                self._rtp.sendto(packet, self._to_rtp)  # type: ignore[call-overload]

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet."""
        with contextlib.suppress(OSError):
            self._rtcp.sendto(packet, self._to_rtcp)  # type: ignore[call-overload]

    def close(self) -> None:
        """Close both sockets."""
        self._rtp.close()
        self._rtcp.close()


class Viewer:
    """Takes pictures and sends them. ``stuck()`` is called once, when nothing has been taken for ten seconds.

    Everything here runs in the server's event loop. ``clock`` is monotonic, ``wall_ns`` Unix time.
    """

    def __init__(
        self,
        packer: Packer,
        wire: Wire,
        *,
        stuck: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._packer = packer
        self._wire = wire
        self._stuck = stuck
        self._clock = clock
        self._wall_ns = wall_ns
        self._await_key = True
        self._report_at = 0.0
        self._full_since: float | None = None
        self.playing = False
        self.left_out = 0
        """Pictures that were not sent because the viewer was too slow."""

    @property
    def packer(self) -> Packer:
        """The numbers of the stream's packets."""
        return self._packer

    def deliver(self, unit: AccessUnit) -> None:
        """Send a picture, or leave it out."""
        if not self.playing:
            self._await_key = True
            return
        if self._wire.waiting_bytes > MOST_WAITING_BYTES:
            self._leave_out()
            return
        self._full_since = None
        if self._await_key and not unit.key:
            return
        self._await_key = False
        self._wire.send(list(self._packer.packets(unit)))
        self._report()

    def close(self, *, goodbye: bool = True) -> None:
        """Let go of the sockets, and say so to the viewer."""
        self.playing = False
        if goodbye:
            self._wire.send_control(self._packer.bye())
        self._wire.close()

    def _leave_out(self) -> None:
        self.left_out += 1
        self._await_key = True
        now = self._clock()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > MOST_STUCK_S:
            self._full_since = now
            self._stuck()

    def _report(self) -> None:
        now = self._clock()
        if now >= self._report_at:
            self._report_at = now + _REPORT_S
            report = self._packer.report(self._wall_ns())
            if report is not None:
                self._wire.send_control(report)
