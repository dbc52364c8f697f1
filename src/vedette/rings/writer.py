"""The owning end of a ring."""

import array
import mmap
import os
import selectors
import socket
import threading
from typing import Collection, Dict, List, NamedTuple, Optional, Set, Tuple

from . import wire
from .endpoint import peer_allowed, peer_pid
from .errors import RingError
from .frame import FrameHeader
from .memory import create_memory, map_writable, seal

_MAX_SLOTS = 64
_MAX_CREDIT = 16
# A process that connects readers (the host of one application, with all of the application's processes) is not to take
# the frames of the others, whatever those readers do: so many of its leases at once, and when half of the slots are
# taken, no more than it needs to go on.
_MOST_OF_ONE = 16
_LEAST_OF_ONE = 2
_MOST_READERS_OF_ONE = 128


class RingStats(NamedTuple):
    """Counters since the ring was made.

    ``dropped``: frames that found every slot leased. ``skipped``: frames a reader did not get because it still held
    older ones, summed over readers.
    """

    published: int
    dropped: int
    skipped: int
    readers: int


class _Memory:
    """One generation of slots."""

    def __init__(self, generation: int, slots: int, slot_bytes: int) -> None:
        self.generation = generation
        self.slot_bytes = slot_bytes
        self.holds = [0] * slots
        self.fd = create_memory(slots * slot_bytes, "vedette-ring")
        self.map: mmap.mmap = map_writable(self.fd, slots * slot_bytes)
        seal(self.fd)

    def __del__(self) -> None:
        os.close(self.fd)

    def free_slot(self) -> Optional[int]:
        for index, holds in enumerate(self.holds):
            if not holds:
                return index
        return None


class Slot:
    """A slot being filled: write the frame into ``buffer``, then :meth:`RingWriter.publish` or ``cancel``."""

    __slots__ = ("buffer", "index", "memory", "nbytes")

    def __init__(self, memory: _Memory, index: int, nbytes: int) -> None:
        self.memory = memory
        self.index = index
        self.nbytes = nbytes
        start = index * memory.slot_bytes
        self.buffer = memoryview(memory.map)[start : start + nbytes]


class _Reader:
    def __init__(self, sock: socket.socket, owner: int) -> None:
        self.sock = sock
        self.owner = owner
        """Process that has connected it."""
        self.credit = 0
        self.generation = 0
        self.last_sequence = 0
        self.leases: Dict[Tuple[int, int, int], _Memory] = {}

    def wants(self) -> bool:
        return len(self.leases) < self.credit


class RingWriter:
    """Owns a ring. Readers connect at ``listener`` (see :func:`vedette.rings.listen`), which is closed with the ring.

    One thread at a time reserves and publishes. ``allowed_uids``: who may read; None is our own user and root.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        slots: int = 4,
        allowed_uids: Optional[Collection[int]] = None,
        name: str = "ring",
    ) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._slots = slots
        self._allowed_uids = allowed_uids
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._readers: Set[_Reader] = set()
        self._held: Dict[int, int] = {}
        """Leases by the process that has connected their readers."""
        self._memory: Optional[_Memory] = None
        self._generation = 0
        self._sequence = 0
        self._latest: Optional[Tuple[_Memory, int, wire.Frame]] = None
        self._published = self._dropped = self._skipped = 0
        self._closed = False
        self._wake_r, self._wake_w = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_r, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._serve, name="{}-ring".format(name), daemon=True)
        self._thread.start()

    @property
    def readers(self) -> int:
        """How many readers are connected."""
        with self._changed:
            return len(self._readers)

    @property
    def stats(self) -> RingStats:
        """The ring's counters."""
        with self._changed:
            return RingStats(self._published, self._dropped, self._skipped, len(self._readers))

    def wait_for_reader(self, timeout_s: float) -> bool:
        """Wait until a reader is connected; False when ``timeout_s`` passed or the ring was closed."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._readers) or self._closed, timeout_s)
            return bool(self._readers)

    def wait_for_want(self, timeout_s: float) -> bool:
        """Wait until some reader can take a frame at once; False when ``timeout_s`` passed or the ring was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(r.wants() for r in self._readers), timeout_s)
            return any(r.wants() for r in self._readers)

    def wait_for_taken(self, timeout_s: float) -> bool:
        """Wait until some reader has the newest frame or can take one; False when that takes over ``timeout_s``.

        Who publishes then has one frame ready whenever a reader gives its lease back, and none is passed over.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._newest_is_taken(), timeout_s)
            return self._newest_is_taken()

    def _newest_is_taken(self) -> bool:
        return any(reader.wants() or 0 < self._sequence == reader.last_sequence for reader in self._readers)

    def reserve(self, nbytes: int) -> Optional[Slot]:
        """Return a slot of ``nbytes`` to fill, or None when every slot is leased (counted as dropped).

        A size that does not fit makes a new memory; leases on the old one stay good.

        :raises RingError: when there is no memory to be had, or the ring is closed.
        """
        if nbytes < 1:
            raise RingError("a slot of {} bytes was asked for, expected at least 1".format(nbytes))
        with self._changed:
            if self._closed:
                raise RingError("the ring is closed")
            memory = self._memory_for(nbytes)
            index = memory.free_slot()
            if index is None and self._latest is not None and self._latest[0] is memory:
                # All is leased; the newest frame may be only our own hold for readers yet to come. Then it can go.
                kept = self._latest[1]
                if memory.holds[kept] == 1:
                    memory.holds[kept] = 0
                    self._latest = None
                    index = kept
            if index is None:
                self._dropped += 1
                return None
            memory.holds[index] = 1
            return Slot(memory, index, nbytes)

    def publish(self, slot: Slot, header: FrameHeader, meta: bytes = b"") -> int:
        """Make the slot's frame the newest and lease it to every reader that has credit; return how many got it.

        ``header.sequence`` is replaced by the ring's own count, which starts at 1.

        :raises RingError: when ``meta`` is over 32 kB (the slot is free again).
        """
        if len(meta) > wire.MAX_META_BYTES:
            self.cancel(slot)
            raise RingError("metadata of {} bytes, at most {} fit".format(len(meta), wire.MAX_META_BYTES))
        # What stands before the send is part of every hand-over: no _replace, no condition's method calls.
        with self._lock:
            self._sequence += 1
            self._published += 1
            header = FrameHeader(self._sequence, *header[1:])
            frame = wire.Frame(slot.memory.generation, slot.index, header, slot.nbytes, meta)
            previous, self._latest = self._latest, (slot.memory, slot.index, frame)
            if previous is not None:
                previous[0].holds[previous[1]] -= 1
            got = 0
            for reader in self._readers:
                got += self._lease_latest(reader)
            return got

    def cancel(self, slot: Slot) -> None:
        """Give an unpublished slot back."""
        with self._changed:
            slot.memory.holds[slot.index] -= 1

    def close(self) -> None:
        """Disconnect every reader and stop listening."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        os.write(self._wake_w, b"x")
        self._thread.join(5.0)
        os.close(self._wake_r)
        os.close(self._wake_w)

    def _memory_for(self, nbytes: int) -> _Memory:
        memory = self._memory
        wished: Dict[int, int] = {}
        for reader in self._readers:
            wished[reader.owner] = wished.get(reader.owner, 0) + max(1, reader.credit)
        wanted = min(_MAX_SLOTS, max(self._slots, 2 + sum(min(_MOST_OF_ONE, each) for each in wished.values())))
        fits = memory is not None and nbytes <= memory.slot_bytes < 4 * nbytes + 65536
        if memory is None or not fits or len(memory.holds) < wanted:
            self._generation += 1
            page = mmap.PAGESIZE
            memory = self._memory = _Memory(self._generation, wanted, (nbytes + page - 1) // page * page)
        return memory

    def _lease_latest(self, reader: _Reader) -> bool:
        """Send the newest frame to ``reader`` if it has credit and has not had it. Called with the lock held."""
        if self._latest is None or not reader.wants():
            return False
        memory, index, frame = self._latest
        sequence = frame.header.sequence
        if sequence <= reader.last_sequence:
            return False
        held = self._held.get(reader.owner, 0)
        if held >= _LEAST_OF_ONE and (held >= _MOST_OF_ONE or sum(map(bool, memory.holds)) > _MAX_SLOTS // 2):
            return False
        try:
            if reader.generation != memory.generation:
                packet = wire.encode(wire.Memory(memory.generation, len(memory.holds), memory.slot_bytes))
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory.fd]))]
                reader.sock.sendmsg([packet], rights)
                reader.generation = memory.generation
            reader.sock.send(wire.encode(frame))
        except BlockingIOError:
            # Its socket is full although its credit is not: it sends but does not read. It gets the next one.
            return False
        except OSError:
            # Dead; the service thread sees the hang-up and cleans up.
            return False
        if reader.last_sequence:
            self._skipped += sequence - reader.last_sequence - 1
        reader.last_sequence = sequence
        reader.leases[(memory.generation, index, sequence)] = memory
        self._held[reader.owner] = held + 1
        memory.holds[index] += 1
        return True

    def _serve(self) -> None:
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.data, _Reader):
                        self._hear(key.data)
                with self._changed:
                    if self._closed:
                        return
        finally:
            self._shut()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if not peer_allowed(sock, self._allowed_uids):
            sock.close()
            return
        owner = peer_pid(sock)
        with self._changed:
            if sum(reader.owner == owner for reader in self._readers) >= _MOST_READERS_OF_ONE:
                sock.close()
                return
            sock.setblocking(False)
            reader = _Reader(sock, owner)
            self._readers.add(reader)
            self._changed.notify_all()
        self._selector.register(sock, selectors.EVENT_READ, reader)

    def _hear(self, reader: _Reader) -> None:
        try:
            data = reader.sock.recv(wire.MAX_PACKET_BYTES)
            packets = [wire.decode(data)] if data else []
        except BlockingIOError:
            return
        except (OSError, RingError):
            packets = []
        with self._changed:
            if not packets or not self._apply(reader, packets):
                self._forget(reader)
            else:
                self._lease_latest(reader)
            self._changed.notify_all()

    def _apply(self, reader: _Reader, packets: List[wire.Packet]) -> bool:
        for packet in packets:
            if isinstance(packet, wire.Hello) and 1 <= packet.credit <= _MAX_CREDIT and not reader.credit:
                reader.credit = packet.credit
            elif isinstance(packet, wire.Release):
                memory = reader.leases.pop((packet.generation, packet.slot, packet.sequence), None)
                if memory is None:
                    return False
                memory.holds[packet.slot] -= 1
                self._held[reader.owner] -= 1
            else:
                return False
        return True

    def _forget(self, reader: _Reader) -> None:
        """Take every lease back from a reader that is gone. Called with the lock held."""
        self._readers.discard(reader)
        for (_, slot, _), memory in reader.leases.items():
            memory.holds[slot] -= 1
        self._held[reader.owner] = self._held.get(reader.owner, 0) - len(reader.leases)
        if not self._held[reader.owner]:
            del self._held[reader.owner]
        reader.leases.clear()
        self._selector.unregister(reader.sock)
        reader.sock.close()

    def _shut(self) -> None:
        with self._changed:
            self._closed = True
            for reader in list(self._readers):
                self._forget(reader)
            self._latest = None
            self._changed.notify_all()
        self._selector.close()
        self._listener.close()
