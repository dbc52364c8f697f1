"""Whole packets, with descriptors beside them, over a socket that is never waited on here."""

import array
import os
import socket
from typing import List, Sequence, Tuple

from ..errors import RingClosed, RingError
from .wire import MAX_PACKET_BYTES, Packet, decode, encode

# As plain numbers: or-ing the socket module's enumerations took longer than the system call.
_RECEIVE = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))
_SEND = int(socket.MSG_DONTWAIT) | int(socket.MSG_NOSIGNAL)
_CUT_SHORT = int(socket.MSG_TRUNC) | int(socket.MSG_CTRUNC)
_DESCRIPTOR_BYTES = array.array("i").itemsize
_CMSG_BYTES = socket.CMSG_SPACE(2 * _DESCRIPTOR_BYTES)
_NONE: Tuple[int, ...] = ()


def send_packet(sock: socket.socket, packet: Packet, descriptors: Sequence[int] = _NONE) -> None:
    """Send a packet, with ``descriptors`` beside it.

    :raises BlockingIOError: when the other side's buffer is full.
    :raises RingClosed: when the other side is gone.
    """
    send_bytes(sock, encode(packet), descriptors)


def send_bytes(sock: socket.socket, data: bytes, descriptors: Sequence[int] = _NONE) -> None:
    """Send an encoded packet; see :func:`send_packet`."""
    try:
        if descriptors:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            sock.sendmsg([data], rights, _SEND)
        else:
            sock.send(data, _SEND)
    except BlockingIOError:
        raise
    except OSError as error:
        raise RingClosed("cannot send: {}".format(error.strerror or error)) from error


class Receiver:
    """Receives packets into one buffer: a new one for each packet would be mapped and unmapped each time."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(MAX_PACKET_BYTES))
        self._rooms = [self._room]

    def receive(self, sock: socket.socket) -> Tuple[bytes, Sequence[int]]:
        """Return the next packet, still encoded, and the descriptors that came with it, which the caller closes.

        :raises BlockingIOError: when there is none yet.
        :raises RingClosed: when the other side is gone.
        :raises RingError: when the packet is over 128 kB.
        """
        try:
            size, ancillary, flags, _ = sock.recvmsg_into(self._rooms, _CMSG_BYTES, _RECEIVE)
        except BlockingIOError:
            raise
        except OSError as error:
            raise RingClosed("cannot receive: {}".format(error.strerror or error)) from error
        descriptors = _descriptors(ancillary) if ancillary else _NONE
        if size and not flags & _CUT_SHORT:
            return bytes(self._room[:size]), descriptors
        close_descriptors(descriptors)
        if size:
            raise RingError("call packet is cut short: over {} bytes".format(MAX_PACKET_BYTES))
        raise RingClosed("the other side closed the connection")


def receive_packet(sock: socket.socket) -> Tuple[Packet, Sequence[int]]:
    """Return the next packet, decoded; errors are those of :class:`Receiver`, and RingError for a malformed one."""
    data, descriptors = Receiver().receive(sock)
    try:
        return decode(data), descriptors
    except RingError:
        close_descriptors(descriptors)
        raise


def _descriptors(ancillary: Sequence[Tuple[int, int, bytes]]) -> List[int]:
    descriptors: List[int] = []
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(raw[: len(raw) - len(raw) % _DESCRIPTOR_BYTES])
            descriptors.extend(numbers)
    return descriptors


def close_descriptors(descriptors: Sequence[int]) -> None:
    """Close every descriptor."""
    for descriptor in descriptors:
        os.close(descriptor)
