"""Whole packets, with descriptors beside them, over a socket that is never waited on here."""

import array
import os
import socket
from typing import List, Tuple

from ..errors import RingClosed, RingError
from .wire import MAX_PACKET_BYTES, Packet, decode, encode

# As plain numbers: or-ing the socket module's enumerations took longer than the system call.
_RECEIVE = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))
_SEND = int(socket.MSG_DONTWAIT) | int(socket.MSG_NOSIGNAL)
_CUT_SHORT = int(socket.MSG_TRUNC) | int(socket.MSG_CTRUNC)
_DESCRIPTOR_BYTES = array.array("i").itemsize
_CMSG_BYTES = socket.CMSG_SPACE(_DESCRIPTOR_BYTES)


def send_packet(sock: socket.socket, packet: Packet, descriptor: int = -1) -> None:
    """Send a packet, with ``descriptor`` beside it unless that is -1.

    :raises BlockingIOError: when the other side's buffer is full.
    :raises RingClosed: when the other side is gone.
    """
    send_bytes(sock, encode(packet), descriptor)


def send_bytes(sock: socket.socket, data: bytes, descriptor: int = -1) -> None:
    """Send an encoded packet; see :func:`send_packet`."""
    rights = []
    if descriptor >= 0:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    try:
        sock.sendmsg([data], rights, _SEND)
    except BlockingIOError:
        raise
    except OSError as error:
        raise RingClosed("cannot send: {}".format(error.strerror or error)) from error


def receive_packet(sock: socket.socket) -> Tuple[Packet, List[int]]:
    """Return the next packet and the descriptors that came with it, which the caller closes.

    :raises BlockingIOError: when there is none yet.
    :raises RingClosed: when the other side is gone.
    :raises RingError: when the packet is malformed.
    """
    try:
        data, ancillary, flags, _ = sock.recvmsg(MAX_PACKET_BYTES, _CMSG_BYTES, _RECEIVE)
    except BlockingIOError:
        raise
    except OSError as error:
        raise RingClosed("cannot receive: {}".format(error.strerror or error)) from error
    descriptors: List[int] = []
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(raw[: len(raw) - len(raw) % _DESCRIPTOR_BYTES])
            descriptors.extend(numbers)
    try:
        if not data:
            raise RingClosed("the other side closed the connection")
        if flags & _CUT_SHORT:
            raise RingError("call packet is cut short: over {} bytes".format(MAX_PACKET_BYTES))
        return decode(data), descriptors
    except RingError:
        close_descriptors(descriptors)
        raise


def close_descriptors(descriptors: List[int]) -> None:
    """Close every descriptor."""
    for descriptor in descriptors:
        os.close(descriptor)
