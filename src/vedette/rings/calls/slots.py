"""A client's side of a generation of slots."""

import mmap
import sys
from typing import List, Sequence, Set, Tuple

from ..errors import RingError
from . import wire
from .tensors import ITEM_BYTES, Placed, TensorView


class SlotMemory:
    """Slots in a memory received from the server: who holds which is the client's to count.

    Each slot is a mapping of its own, because the references to a mapping tell whether something still looks at it:
    a memoryview can be released while slices and arrays made of it live on.

    :raises RingError: when the memory cannot be mapped at the size the server says.
    """

    def __init__(self, packet: wire.Memory, descriptor: int) -> None:
        self.generation = packet.generation
        self.input_bytes = packet.input_bytes
        self.output_bytes = packet.output_bytes
        self.slots = packet.slots
        self.free: Set[int] = set(range(packet.slots))
        self.retired = False
        stride = packet.input_bytes + packet.output_bytes
        self._maps = [map_descriptor(descriptor, stride, slot * stride) for slot in range(packet.slots)]
        self._idle_references = self._references(0)

    def take(self) -> int:
        """Take the lowest free slot: fewer threads then touch fewer pages."""
        slot = min(self.free)
        self.free.remove(slot)
        return slot

    def in_use(self, slot: int) -> bool:
        """Tell whether any view of the slot is alive."""
        return self._references(slot) > self._idle_references

    def input_view(self, slot: int, start: int, nbytes: int) -> memoryview:
        """Return a writable view in the slot's input area."""
        return memoryview(self._maps[slot])[start : start + nbytes]

    def output_views(self, slot: int, outputs: Sequence[Placed]) -> Tuple[TensorView, ...]:
        """Return the outputs that lie in the slot.

        :raises RingError: when one lies outside of it.
        """
        return place_views(memoryview(self._maps[slot])[self.input_bytes :], outputs)

    def _references(self, slot: int) -> int:
        return sys.getrefcount(self._maps[slot])


def map_descriptor(descriptor: int, nbytes: int, offset: int = 0) -> mmap.mmap:
    """Map ``nbytes`` of a received memory for reading and writing; the descriptor may be closed afterwards.

    :raises RingError: when that fails.
    """
    try:
        return mmap.mmap(descriptor, nbytes, offset=offset)
    except (OSError, ValueError, OverflowError) as error:
        raise RingError("cannot map {} bytes of shared memory: {}".format(nbytes, error)) from error


def place_views(area: memoryview, tensors: Sequence[Placed]) -> Tuple[TensorView, ...]:
    """Return views of ``tensors`` in ``area``.

    :raises RingError: when a tensor lies outside of the area.
    """
    views: List[TensorView] = []
    for name, dtype, shape, offset in tensors:
        nbytes = ITEM_BYTES[dtype]
        for dimension in shape:
            nbytes *= dimension
        if offset + nbytes > len(area):
            raise RingError(
                "tensor {!r} of {} bytes at {} lies outside of its area of {} bytes".format(
                    name, nbytes, offset, len(area)
                )
            )
        views.append(TensorView(name, dtype, shape, area[offset : offset + nbytes]))
    return tuple(views)


def release_views(views: Sequence[memoryview]) -> None:
    """Release every view that nothing was made of."""
    for view in views:
        try:
            view.release()
        except BufferError:
            # Something was; whoever asks in_use() will hear.
            continue
