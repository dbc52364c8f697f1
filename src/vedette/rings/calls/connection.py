"""What the server keeps for one client: its memories and which of their slots are in a call."""

import mmap
import os
import socket
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Set, Tuple, Union

from ..errors import RingError
from ..frame import frame_bytes
from ..memory import create_memory, map_read_only, map_writable, seal
from . import wire
from .errors import TOO_LARGE, CallError
from .repetition import Repetition
from .slots import place_views
from .tensors import FrameView, Placed, TensorBuffer, TensorView, aligned, flat_bytes, lay_out
from .transport import close_descriptors

if TYPE_CHECKING:
    from .server import CallHandler

_MAX_LIVE_GENERATIONS = 16
_MAX_SHARED = 64
"""An application's cameras, and what is left of them when their sizes change."""
_MAX_REPETITIONS = 64
"""Kinds of calls, in each of their slots, that are kept for a client; one more makes all of them forgotten."""


class Memory:
    """One generation of slots. The descriptors are closed once they are sent; the mappings keep the memory.

    ``guarded``: the client cannot write to the outputs. A run may then write them straight into the slot, although it
    may read them again: what the client could change in between could lead it out of its memory.
    """

    def __init__(self, generation: int, slots: int, input_bytes: int, output_bytes: int) -> None:
        self.generation = generation
        self.slots = slots
        self.input_bytes = input_bytes
        self.output_bytes = output_bytes
        self.nbytes = slots * (input_bytes + output_bytes)
        self.busy: Set[int] = set()
        self.closing = False
        self.descriptors: List[int] = []
        try:
            self._inputs = self._map(slots * input_bytes, "vedette-calls")
            self._outputs = self._map(slots * output_bytes, "vedette-outputs")
            self.guarded = seal(self.descriptors[1])
        except BaseException:
            close_descriptors(self.descriptors)
            raise

    def _map(self, nbytes: int, name: str) -> mmap.mmap:
        descriptor = create_memory(nbytes, name)
        self.descriptors.append(descriptor)
        return map_writable(descriptor, nbytes)

    def inputs(self, slot: int) -> memoryview:
        """Return the input area of a slot."""
        return memoryview(self._inputs)[slot * self.input_bytes : (slot + 1) * self.input_bytes]

    def outputs(self, slot: int) -> memoryview:
        """Return the output area of a slot."""
        return memoryview(self._outputs)[slot * self.output_bytes : (slot + 1) * self.output_bytes]


class Begun:
    """A call whose slot is the server's until it is answered.

    ``given``: what it brings, looked up when it comes: a frame's memory may be unshared before its turn.
    ``repetition``: what is known of a call with tensors, where it may come again.
    """

    __slots__ = ("deadline_ns", "given", "memory", "number", "repetition", "slot")

    def __init__(
        self,
        number: int,
        deadline_ns: int,
        memory: Memory,
        slot: int,
        given: Union[Tuple[TensorView, ...], FrameView],
        repetition: Optional[Repetition] = None,
    ) -> None:
        self.number = number
        self.deadline_ns = deadline_ns
        self.memory = memory
        self.slot = slot
        self.given = given
        self.repetition = repetition


class Connection:
    """One client. Every violation of the protocol raises RingError: the client is then disconnected.

    ``family``: the connections that one process has made, which share ``max_bytes``; this one is added.
    """

    def __init__(
        self, sock: socket.socket, slots: int, max_bytes: int, handler: "CallHandler", family: "List[Connection]"
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self._slots = slots
        self._max_bytes = max_bytes
        self._handler = handler
        self._family = family
        family.append(self)
        self._memories: Dict[int, Memory] = {}
        self._generation = 0
        self._shared: Dict[int, mmap.mmap] = {}
        self.repetitions: Dict[bytes, Repetition] = {}
        """By the bytes of a call that stay the same."""

    @property
    def alive(self) -> bool:
        """Whether the client is still connected."""
        return self.fd >= 0

    @property
    def nbytes(self) -> int:
        """What its slots take."""
        return sum(memory.nbytes for memory in self._memories.values())

    def close(self) -> None:
        """Hang up."""
        self.fd = -1
        self._family.remove(self)
        self.sock.close()

    def open(self, packet: wire.Open) -> Tuple[wire.Memory, List[int]]:
        """Make a new generation; return what to tell the client and the descriptors, which the caller closes.

        :raises CallError: ``too_large`` when not even one slot of that size fits this client's share of memory.
        """
        page = mmap.PAGESIZE
        input_bytes = aligned(max(packet.input_bytes, page), page)
        output_bytes = aligned(max(packet.output_bytes, self._handler.output_bytes, page), page)
        left = self._max_bytes - sum(connection.nbytes for connection in self._family)
        slots = min(self._slots, left // (input_bytes + output_bytes))
        if slots < 1 or len(self._memories) >= _MAX_LIVE_GENERATIONS:
            raise CallError(
                TOO_LARGE,
                "a call with {} bytes of inputs and {} of outputs does not fit the {} bytes left of {} for one "
                "application".format(packet.input_bytes, output_bytes, left, self._max_bytes),
            )
        try:
            memory = Memory(self._generation + 1, slots, input_bytes, output_bytes)
        except (RingError, OSError, ValueError) as error:
            raise CallError(TOO_LARGE, "no shared memory to be had: {}".format(error)) from error
        self._generation += 1
        self._memories[self._generation] = memory
        return wire.Memory(packet.request, self._generation, slots, input_bytes, output_bytes), memory.descriptors

    def close_generation(self, generation: int) -> None:
        """Drop a memory that the client does not use any more; one with calls in it goes with the last of them."""
        memory = self._memory(generation)
        memory.closing = True
        if not memory.busy:
            self._drop(memory)

    def _drop(self, memory: Memory) -> None:
        del self._memories[memory.generation]
        for rest in [rest for rest, repetition in self.repetitions.items() if repetition.memory is memory]:
            del self.repetitions[rest]

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

    def _frame_view(self, call: wire.Frame) -> FrameView:
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
            area = self._memory(call.generation).inputs(call.slot)
        if call.offset + nbytes > len(area):
            raise RingError("a frame of {} bytes lies outside of its memory of {}".format(nbytes, len(area)))
        return FrameView(call.width, call.height, call.pixel_format, area[call.offset : call.offset + nbytes])

    def begin_frame(self, call: wire.Frame) -> Begun:
        """Note that the slot is the server's until :meth:`finish`."""
        memory = self._free(self._memory(call.generation), call.slot)
        begun = Begun(call.call, call.deadline_ns, memory, call.slot, self._frame_view(call))
        memory.busy.add(call.slot)
        return begun

    def begin(self, number: int, deadline_ns: int, rest: bytes) -> Begun:
        """As :meth:`begin_frame`, for a call with tensors: ``rest`` is how it was sent, without what changes."""
        repetition = self.repetitions.get(rest)
        if repetition is None:
            call = wire.decode_rest(rest)
            memory = self._free(self._memory(call.generation), call.slot)
            given = place_views(memory.inputs(call.slot), call.inputs)
            if len(self.repetitions) >= _MAX_REPETITIONS:
                self.repetitions.clear()
            repetition = self.repetitions[rest] = Repetition(memory, call.slot, given)
        memory, slot = self._free(repetition.memory, repetition.slot), repetition.slot
        memory.busy.add(slot)
        return Begun(number, deadline_ns, memory, slot, repetition.given, repetition)

    @staticmethod
    def _free(memory: Memory, slot: int) -> Memory:
        if slot >= memory.slots or slot in memory.busy or memory.closing:
            raise RingError("slot {} is not the client's to call with".format(slot))
        return memory

    def finish(self, begun: Begun) -> None:
        """Note that the slot is the client's again."""
        memory = begun.memory
        memory.busy.discard(begun.slot)
        if memory.closing and not memory.busy:
            self._drop(memory)

    def write_outputs(self, begun: Begun, outputs: Sequence[TensorBuffer]) -> Tuple[bytes, int]:
        """Write the outputs into the slot, or into a memory of their own when they do not fit.

        Return the encoded answer, and that memory's descriptor, which the caller closes, or -1.

        :raises CallError: when an output's buffer does not fit its shape.
        :raises RingError: when they are over this client's share of memory, or there is none.
        """
        contents = [flat_bytes(output) for output in outputs]
        placed, nbytes = lay_out([(output.name, output.dtype, output.shape) for output in outputs])
        memory = begun.memory
        if nbytes <= memory.output_bytes:
            area = memory.outputs(begun.slot)
            self._copy(area, placed, contents)
            answer = wire.encode(wire.Answer(begun.number, 0, placed))
            if begun.repetition is not None:
                begun.repetition.answered(self._handler, area if memory.guarded else None, placed, answer)
            return answer, -1
        if nbytes > self._max_bytes:
            raise RingError("{} bytes of outputs, at most {} are allowed".format(nbytes, self._max_bytes))
        descriptor = create_memory(nbytes, "vedette-outputs")
        try:
            with map_writable(descriptor, nbytes) as extra, memoryview(extra) as area:
                self._copy(area, placed, contents)
            return wire.encode(wire.Answer(begun.number, nbytes, placed)), descriptor
        except BaseException:
            os.close(descriptor)
            raise

    @staticmethod
    def _copy(area: memoryview, placed: Sequence[Placed], contents: Sequence[memoryview]) -> None:
        for index, content in enumerate(contents):
            offset = placed[index].offset
            area[offset : offset + len(content)] = content

    def _memory(self, generation: int) -> Memory:
        memory = self._memories.get(generation)
        if memory is None:
            raise RingError("generation {} is not open".format(generation))
        return memory
