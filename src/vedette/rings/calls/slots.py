"""A client's side of a generation of slots."""

import mmap
import os
import sys
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Set, Tuple

from ..errors import RingError
from . import wire
from .tensors import ITEM_BYTES, Placed, TensorView

if TYPE_CHECKING:
    from .repeated import RepeatedCall, Turn


class SlotMemory:
    """Slots in memories received from the server: who holds which is the client's to count.

    There are two ways to look at a slot. Repeated calls look through one mapping of each memory and answer for what
    they do. Views that are given away are of mappings of their own, a slot's two, because the references to these tell
    whether something still looks at it: a memoryview can be released while slices and arrays made of it live on.

    :raises RingError: when a memory cannot be mapped at the size the server says.
    """

    def __init__(self, packet: wire.Memory, descriptors: Sequence[int]) -> None:
        if len(descriptors) != 2:
            raise RingError("{} descriptors came with a memory, expected 2".format(len(descriptors)))
        self.generation = packet.generation
        self.input_bytes = packet.input_bytes
        self.output_bytes = packet.output_bytes
        self.slots = packet.slots
        self.free: Set[int] = set(range(packet.slots))
        self.retired = False
        self.turns: "Dict[Tuple[RepeatedCall, int], Turn]" = {}
        """What repeated calls keep of a slot while the memory is in use."""
        self._inputs = map_descriptor(descriptors[0], packet.slots * packet.input_bytes)
        self._outputs = map_descriptor(descriptors[1], packet.slots * packet.output_bytes, writable=False)
        self._given_away: List[Optional[_Mappings]] = [None] * packet.slots
        self._descriptors = [os.dup(descriptor) for descriptor in descriptors]

    def __del__(self) -> None:
        for descriptor in getattr(self, "_descriptors", ()):
            os.close(descriptor)

    def take(self) -> int:
        """Take the lowest free slot: fewer threads then touch fewer pages."""
        slot = min(self.free)
        self.free.remove(slot)
        return slot

    def own_inputs(self, slot: int, inputs: Sequence[Placed]) -> Tuple[TensorView, ...]:
        """Return writable views of the inputs in the slot, whose end the caller answers for."""
        return place_views(_part(self._inputs, slot, self.input_bytes), inputs)

    def own_outputs(self, slot: int, outputs: Sequence[Placed]) -> Tuple[TensorView, ...]:
        """Return views of the outputs in the slot, as :meth:`own_inputs`.

        :raises RingError: when one lies outside of it.
        """
        return place_views(_part(self._outputs, slot, self.output_bytes), outputs)

    def in_use(self, slot: int) -> bool:
        """Tell whether any view that was given away is alive."""
        mappings = self._given_away[slot]
        return mappings is not None and mappings.in_use()

    def input_view(self, slot: int, start: int, nbytes: int) -> memoryview:
        """Return a writable view in the slot's input area, to be given away."""
        return memoryview(self._mappings(slot).inputs)[start : start + nbytes]

    def output_views(self, slot: int, outputs: Sequence[Placed]) -> Tuple[TensorView, ...]:
        """Return the outputs that lie in the slot, to be given away.

        :raises RingError: when one lies outside of it.
        """
        return place_views(memoryview(self._mappings(slot).outputs), outputs)

    def _mappings(self, slot: int) -> "_Mappings":
        mappings = self._given_away[slot]
        if mappings is None:
            mappings = self._given_away[slot] = _Mappings(self._descriptors, self.input_bytes, self.output_bytes, slot)
        return mappings


class _Mappings:
    """One slot."""

    def __init__(self, descriptors: Sequence[int], input_bytes: int, output_bytes: int, slot: int) -> None:
        self.inputs = map_descriptor(descriptors[0], input_bytes, slot)
        self.outputs = map_descriptor(descriptors[1], output_bytes, slot, writable=False)
        self._idle_references = self._references()

    def in_use(self) -> bool:
        return self._references() > self._idle_references

    def _references(self) -> int:
        return sys.getrefcount(self.inputs) + sys.getrefcount(self.outputs)


def _part(memory: mmap.mmap, slot: int, nbytes: int) -> memoryview:
    return memoryview(memory)[slot * nbytes : (slot + 1) * nbytes]


def map_descriptor(descriptor: int, nbytes: int, part: int = 0, *, writable: bool = True) -> mmap.mmap:
    """Map one of the parts of ``nbytes`` of a received memory; the descriptor may be closed afterwards.

    :raises RingError: when that fails.
    """
    protection = mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ
    try:
        return mmap.mmap(descriptor, nbytes, prot=protection, offset=part * nbytes)
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
