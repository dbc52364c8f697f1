"""A client's side of a generation of slots."""

import mmap
from typing import List, Sequence, Set, Tuple

from ..errors import RingError
from ..memory import map_writable
from . import wire
from .tensors import ITEM_BYTES, Placed, TensorView


class SlotMemory:
    """Slots in a memory received from the server: who holds which is the client's to count.

    :raises RingError: when the memory cannot be mapped at the size the server says.
    """

    def __init__(self, packet: wire.Memory, descriptor: int) -> None:
        self.generation = packet.generation
        self.input_bytes = packet.input_bytes
        self.output_bytes = packet.output_bytes
        self.free: Set[int] = set(range(packet.slots))
        self.slots = packet.slots
        self.retired = False
        self._stride = packet.input_bytes + packet.output_bytes
        self._map = map_descriptor(descriptor, self._stride * packet.slots)

    def take(self) -> int:
        """Take the lowest free slot: fewer threads then touch fewer pages."""
        slot = min(self.free)
        self.free.remove(slot)
        return slot

    def input_view(self, slot: int, start: int, nbytes: int) -> memoryview:
        """Return a writable view in the slot's input area."""
        start += slot * self._stride
        return memoryview(self._map)[start : start + nbytes]

    def output_views(self, slot: int, outputs: Sequence[Placed]) -> Tuple[TensorView, ...]:
        """Return the outputs that lie in the slot.

        :raises RingError: when one lies outside of it.
        """
        start = slot * self._stride + self.input_bytes
        return place_views(memoryview(self._map)[start : start + self.output_bytes], outputs)


def map_descriptor(descriptor: int, nbytes: int) -> mmap.mmap:
    """Map ``nbytes`` of a received memory; the descriptor may be closed afterwards.

    :raises RingError: when that fails.
    """
    try:
        return map_writable(descriptor, nbytes)
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
