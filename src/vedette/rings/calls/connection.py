"""What the server keeps for one client: its memories and which of their slots are in a call."""

import mmap
import os
import socket
from typing import TYPE_CHECKING, Dict, Sequence, Set, Tuple, Union

from ..errors import RingError
from ..frame import frame_bytes
from ..memory import create_memory, map_read_only, map_writable
from . import wire
from .errors import TOO_LARGE, CallError
from .slots import place_views
from .tensors import FrameView, Placed, TensorBuffer, TensorView, aligned, flat_bytes, lay_out

if TYPE_CHECKING:
    from .server import CallHandler

_MAX_LIVE_GENERATIONS = 16
_MAX_SHARED = 64
"""An application's cameras, and what is left of them when their sizes change."""


class _Memory:
    """One generation of slots. The descriptor is closed once it is sent; the mapping keeps the memory."""

    def __init__(self, slots: int, input_bytes: int, output_bytes: int) -> None:
        self.slots = slots
        self.input_bytes = input_bytes
        self.output_bytes = output_bytes
        self.nbytes = slots * (input_bytes + output_bytes)
        self.busy: Set[int] = set()
        self.closing = False
        self.descriptor = create_memory(self.nbytes, "vedette-calls")
        self.map: mmap.mmap = map_writable(self.descriptor, self.nbytes)

    def area(self, slot: int, *, outputs: bool) -> memoryview:
        """Return the input or output area of a slot."""
        start = slot * (self.input_bytes + self.output_bytes) + (self.input_bytes if outputs else 0)
        return memoryview(self.map)[start : start + (self.output_bytes if outputs else self.input_bytes)]


class Connection:
    """One client. Every violation of the protocol raises RingError: the client is then disconnected."""

    def __init__(self, sock: socket.socket, slots: int, max_bytes: int, handler: "CallHandler") -> None:
        self.sock = sock
        self._slots = slots
        self._max_bytes = max_bytes
        self._handler = handler
        self._memories: Dict[int, _Memory] = {}
        self._generation = 0
        self._shared: Dict[int, mmap.mmap] = {}
        # By generation and slot, taken when a call comes: a frame's memory may be unshared before its turn.
        self._begun: Dict[Tuple[int, int], Union[Tuple[TensorView, ...], FrameView]] = {}

    def open(self, packet: wire.Open) -> Tuple[wire.Memory, int]:
        """Make a new generation; return what to tell the client and the descriptor, which the caller closes.

        :raises CallError: ``too_large`` when not even one slot of that size fits this client's share of memory.
        """
        page = mmap.PAGESIZE
        input_bytes = aligned(max(packet.input_bytes, page), page)
        output_bytes = aligned(max(packet.output_bytes, self._handler.output_bytes, page), page)
        left = self._max_bytes - sum(memory.nbytes for memory in self._memories.values())
        slots = min(self._slots, left // (input_bytes + output_bytes))
        if slots < 1 or len(self._memories) >= _MAX_LIVE_GENERATIONS:
            raise CallError(
                TOO_LARGE,
                "a call with {} bytes of inputs and {} of outputs does not fit the {} bytes left of {} for one "
                "application".format(packet.input_bytes, output_bytes, left, self._max_bytes),
            )
        try:
            memory = _Memory(slots, input_bytes, output_bytes)
        except (RingError, OSError, ValueError) as error:
            raise CallError(TOO_LARGE, "no shared memory to be had: {}".format(error)) from error
        self._generation += 1
        self._memories[self._generation] = memory
        return wire.Memory(packet.request, self._generation, slots, input_bytes, output_bytes), memory.descriptor

    def close_generation(self, generation: int) -> None:
        """Drop a memory that the client does not use any more; one with calls in it goes with the last of them."""
        memory = self._memory(generation)
        memory.closing = True
        if not memory.busy:
            del self._memories[generation]

    def share(self, packet: wire.Share, descriptors: Sequence[int]) -> None:
        """Map a memory that frames of later calls lie in."""
        if len(descriptors) != 1:
            raise RingError("{} descriptors came with a shared memory, expected 1".format(len(descriptors)))
        if packet.memory < 1 or packet.memory in self._shared or len(self._shared) >= _MAX_SHARED:
            raise RingError("memory {} cannot be shared: known, or over {}".format(packet.memory, _MAX_SHARED))
        self._shared[packet.memory] = map_read_only(descriptors[0], packet.nbytes)

    def unshare(self, packet: wire.Unshare) -> None:
        """Let go of a shared memory; a call that still looks at it keeps the mapping alive."""
        if self._shared.pop(packet.memory, None) is None:
            raise RingError("memory {} was not shared".format(packet.memory))

    def frame_view(self, call: wire.Frame) -> FrameView:
        """Return the frame of a call.

        :raises RingError: when it lies outside of its memory, or cannot be a frame.
        """
        nbytes = frame_bytes(call.pixel_format, call.width, call.height)
        if call.memory:
            shared = self._shared.get(call.memory)
            if shared is None:
                raise RingError("memory {} was not shared".format(call.memory))
            area = memoryview(shared)
        else:
            area = self._memory(call.generation).area(call.slot, outputs=False)
        if call.offset + nbytes > len(area):
            raise RingError("a frame of {} bytes lies outside of its memory of {}".format(nbytes, len(area)))
        return FrameView(call.width, call.height, call.pixel_format, area[call.offset : call.offset + nbytes])

    def begin(self, call: wire.AnyCall) -> None:
        """Note that the slot is the server's until :meth:`finish`."""
        memory = self._memory(call.generation)
        if call.slot >= memory.slots or call.slot in memory.busy or memory.closing:
            raise RingError("slot {} is not the client's to call with".format(call.slot))
        if isinstance(call, wire.Frame):
            given: Union[Tuple[TensorView, ...], FrameView] = self.frame_view(call)
        else:
            given = place_views(memory.area(call.slot, outputs=False), call.inputs)
        self._begun[call.generation, call.slot] = given
        memory.busy.add(call.slot)

    def inputs(self, call: wire.AnyCall) -> "Union[Tuple[TensorView, ...], FrameView]":
        """Return what a call that was begun brings."""
        return self._begun[call.generation, call.slot]

    def finish(self, call: wire.AnyCall) -> None:
        """Note that the slot is the client's again."""
        del self._begun[call.generation, call.slot]
        memory = self._memory(call.generation)
        memory.busy.discard(call.slot)
        if memory.closing and not memory.busy:
            del self._memories[call.generation]

    def write_outputs(self, call: wire.AnyCall, outputs: Sequence[TensorBuffer]) -> Tuple[wire.Answer, int]:
        """Write the outputs into the slot, or into a memory of their own when they do not fit.

        Return the answer, and that memory's descriptor, which the caller closes, or -1.

        :raises CallError: when an output's buffer does not fit its shape.
        :raises RingError: when they are over this client's share of memory, or there is none.
        """
        contents = [flat_bytes(output) for output in outputs]
        placed, nbytes = lay_out([(output.name, output.dtype, output.shape) for output in outputs])
        memory = self._memory(call.generation)
        if nbytes <= memory.output_bytes:
            self._copy(memory.area(call.slot, outputs=True), placed, contents)
            return wire.Answer(call.call, 0, placed), -1
        if nbytes > self._max_bytes:
            raise RingError("{} bytes of outputs, at most {} are allowed".format(nbytes, self._max_bytes))
        descriptor = create_memory(nbytes, "vedette-outputs")
        try:
            with map_writable(descriptor, nbytes) as extra:
                self._copy(memoryview(extra), placed, contents)
        except BaseException:
            os.close(descriptor)
            raise
        return wire.Answer(call.call, nbytes, placed), descriptor

    @staticmethod
    def _copy(area: memoryview, placed: Sequence[Placed], contents: Sequence[memoryview]) -> None:
        with area:
            for index, content in enumerate(contents):
                offset = placed[index].offset
                area[offset : offset + len(content)] = content

    def _memory(self, generation: int) -> _Memory:
        memory = self._memories.get(generation)
        if memory is None:
            raise RingError("generation {} is not open".format(generation))
        return memory
