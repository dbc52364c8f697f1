"""The reading end of a ring."""

import array
import fcntl
import os
import select
import socket
import threading
from types import TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Type

from . import wire
from .errors import RingClosed, RingError
from .frame import FrameHeader
from .memory import map_read_only

_RIGHTS_SPACE = socket.CMSG_SPACE(array.array("i").itemsize)


class RingMemory:
    """A ring's memory as its reader has it; ``fd`` lets another process see a frame that is leased here."""

    def __init__(self, fd: int, nbytes: int) -> None:
        self.nbytes = nbytes
        self.view = memoryview(map_read_only(fd, nbytes))
        self.fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)

    def __del__(self) -> None:
        fd = getattr(self, "fd", -1)
        if fd >= 0:
            os.close(fd)


class _Generation(NamedTuple):
    slots: int
    slot_bytes: int
    memory: RingMemory


class Lease:
    """A frame that stays as it is until :meth:`release`; a context manager that releases.

    ``buffer`` is read-only; whoever wants the pixels for longer copies them out before the release. ``memory`` and
    ``offset`` say where it lies, for a process that is to see the frame while the lease is held.
    """

    __slots__ = ("_frame", "_reader", "_released", "buffer", "header", "memory", "meta", "offset")

    def __init__(
        self, reader: "RingReader", frame: wire.Frame, buffer: memoryview, memory: RingMemory, offset: int
    ) -> None:
        self.memory = memory
        self.offset = offset
        self.header: FrameHeader = frame.header
        self.meta = frame.meta
        self.buffer = buffer
        self._reader = reader
        self._frame = frame
        self._released = False

    def release(self) -> None:
        """Give the slot back; more than once does no harm."""
        if not self._released:
            self._released = True
            packet = wire.Release(self._frame.generation, self._frame.slot, self.header.sequence)
            self._reader._send(packet)  # noqa: SLF001 - a lease is a part of its reader

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.release()


class RingReader:
    """Receives leases over ``sock``, a socket connected to a ring's owner.

    ``credit`` is how many leases may be held at once; with 1 the reader always gets the newest frame.
    One thread receives; leases may be released from any thread.
    """

    def __init__(self, sock: socket.socket, credit: int = 1) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._generations: Dict[int, _Generation] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._send(wire.Hello(credit))

    def fileno(self) -> int:
        """Descriptor that is readable when a frame waits."""
        return self._sock.fileno()

    def receive(self, timeout_s: Optional[float]) -> Optional[Lease]:
        """Return the next lease, or None when ``timeout_s`` passes without one; None waits for ever.

        :raises RingClosed: when the owner is gone.
        :raises RingError: when the owner sends what cannot be; the connection is closed then.
        """
        while True:
            try:
                data, fds = self._receive_packet()
            except BlockingIOError:
                if not self._wait(timeout_s):
                    return None
                continue
            try:
                lease = self._handle(data, fds)
            except RingError:
                self.close()
                raise
            if lease is not None:
                return lease

    def close(self) -> None:
        """End the connection; every lease goes back with it."""
        with self._lock:
            self._closed = True
            self._sock.close()
        self._generations.clear()

    def _wait(self, timeout_s: Optional[float]) -> bool:
        try:
            poller = select.poll()
            poller.register(self._sock.fileno(), select.POLLIN)
            return bool(poller.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000))
        except (OSError, ValueError) as error:
            raise RingClosed("the ring was closed") from error

    def _receive_packet(self) -> "tuple[bytes, Sequence[int]]":
        try:
            data, ancillary, _, _ = self._sock.recvmsg(wire.MAX_PACKET_BYTES, _RIGHTS_SPACE, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            raise
        except (OSError, ValueError) as error:
            raise RingClosed("the ring's owner is gone") from error
        fds = _descriptors(ancillary) if ancillary else ()
        if not data:
            _close(fds)
            raise RingClosed("the ring's owner is gone")
        return data, fds

    def _handle(self, data: bytes, fds: Sequence[int]) -> Optional[Lease]:
        try:
            packet = wire.decode(data)
            if isinstance(packet, wire.Frame):
                return self._lease(packet)
            if not isinstance(packet, wire.Memory):
                raise RingError("the ring's owner sent {}".format(type(packet).__name__))
            if len(fds) != 1:
                raise RingError("a new memory came with {} descriptors, expected 1".format(len(fds)))
            memory = RingMemory(fds[0], packet.slots * packet.slot_bytes)
            # The writer hands out leases of the newest generation only; older mappings live with their leases.
            self._generations = {packet.generation: _Generation(packet.slots, packet.slot_bytes, memory)}
            return None
        finally:
            _close(fds)

    def _lease(self, frame: wire.Frame) -> Lease:
        generation = self._generations.get(frame.generation)
        if generation is None or frame.slot >= generation.slots or frame.nbytes > generation.slot_bytes:
            raise RingError("the ring's owner leased slot {} outside its memory".format(frame.slot))
        start = frame.slot * generation.slot_bytes
        memory = generation.memory
        return Lease(self, frame, memory.view[start : start + frame.nbytes], memory, start)

    def _send(self, packet: wire.Packet) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._sock.send(wire.encode(packet))
            except OSError:
                # The owner is gone, and every lease with it; receive() tells.
                return


def _descriptors(ancillary: "Sequence[tuple[int, int, bytes]]") -> List[int]:
    fds: "array.array[Any]" = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return list(fds)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
