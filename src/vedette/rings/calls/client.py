"""The calling side of the channel."""

import mmap
import socket
import time
import weakref
from collections import deque
from itertools import count
from typing import Any, Deque, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from ..errors import RingError
from ..reader import RingMemory
from . import wire
from .errors import EXPIRED, NO_FRAMES, TOO_LARGE, CallError, CallFailure, CallLost, CallTimeout
from .exchange import Exchange
from .prepared import MakePacket, PreparedCall
from .result import CallResult
from .slots import SlotMemory, map_descriptor, place_views
from .tensors import Description, TensorBuffer, TensorView, aligned, flat_bytes, lay_out

_DESCRIPTION_TIMEOUT_S = 30.0
_DROPPED_POLL_S = 0.25
"""How soon a thread that waits for a slot sees one that was freed by a finaliser, which wakes nobody."""


class FrameSource(NamedTuple):
    """A frame for a call: in a ring's memory, leased for as long as the call takes, or in a buffer that is copied."""

    width: int
    height: int
    pixel_format: int
    memory: Optional[RingMemory] = None
    offset: int = 0
    buffer: Any = None


class Pending:
    """A call that was sent. Its answer: the encoded tensors, which may lie in a memory of their own, or a fault."""

    __slots__ = ("abandoned", "answer", "extra", "memory", "slot")

    def __init__(self, memory: SlotMemory, slot: int) -> None:
        self.memory = memory
        self.slot = slot
        self.answer: Union[bytes, wire.Fault, None] = None
        self.extra: Optional[mmap.mmap] = None
        self.abandoned = False

    def answered(self) -> bool:
        """Tell whether the answer is here."""
        return self.answer is not None


class CallClient:
    """Calls one model over ``sock``, a connected socket of the model's server, which is closed with the client.

    Any number of threads may call at once; up to the number of slots run or wait at the server, more wait here.
    Waiting releases the interpreter. No thread is started.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._exchange = Exchange(sock, self._apply)
        self._description: Optional[Description] = None
        self._memory: Optional[SlotMemory] = None
        self._wanted_output_bytes = 0
        self._outputs_may_grow = True
        self._pending: Dict[int, Pending] = {}
        self._calls = count(1)
        self._opening: Optional[wire.Open] = None
        self._next_request = 1
        self._refused: Dict[int, wire.Refused] = {}
        # Slots of what was never closed: finalisers may run while this thread holds the lock, so they only append.
        self._dropped: Deque[Tuple[SlotMemory, int]] = deque()
        self._shares: "weakref.WeakKeyDictionary[RingMemory, int]" = weakref.WeakKeyDictionary()
        self._unshared: Deque[int] = deque()
        self._next_share = 1

    @property
    def description(self) -> Description:
        """What the model takes and gives; waited for up to 30 s, since the server may be in the middle of a call.

        :raises CallTimeout: when it did not come.
        :raises CallLost: when the server is gone.
        """
        description = self._description
        if description is not None:
            return description
        with self._exchange.changed:
            self._exchange.wait(lambda: self._description is not None, time.monotonic() + _DESCRIPTION_TIMEOUT_S)
            if self._description is None:
                raise CallTimeout("the model server said nothing for {:.0f} s".format(_DESCRIPTION_TIMEOUT_S))
            return self._description

    @property
    def lost(self) -> bool:
        """Whether the connection is known to be gone."""
        return self._exchange.lost is not None

    def call(self, inputs: Sequence[TensorBuffer], timeout_s: Optional[float] = None) -> CallResult:
        """Copy the inputs into a slot, run the model and return its outputs; None waits for ever.

        :raises CallTimeout: no answer in time. A call that runs by then runs on; its slot is used again after that.
        :raises CallError: an input does not fit the model or its buffer, or the run failed.
        :raises CallLost: the server is gone, or this process was forked from the one that made the client.
        """
        deadline = _deadline(timeout_s)
        contents = [flat_bytes(tensor) for tensor in inputs]
        prepared = self._prepare([(t.name, t.dtype, t.shape) for t in inputs], deadline)
        try:
            for index, content in enumerate(contents):
                prepared.buffers[index][:] = content
        except BaseException:
            prepared.cancel()
            raise
        return prepared.run(None if deadline is None else deadline - time.monotonic())

    def prepare(
        self, inputs: Sequence[Tuple[str, str, Sequence[int]]], timeout_s: Optional[float] = None
    ) -> PreparedCall:
        """Reserve a slot for inputs given as (name, dtype, shape), for who can write or convert them in place.

        Errors are those of :meth:`call`. What is prepared must be run or cancelled.
        """
        return self._prepare(inputs, _deadline(timeout_s))

    def call_frame(self, frame: FrameSource, timeout_s: Optional[float] = None) -> CallResult:
        """Run the model on a frame. One that lies in a ring's memory is not copied: its lease must be held meanwhile.

        Errors are those of :meth:`call`; ``no_frames`` when the model takes tensors only.
        """
        deadline = _deadline(timeout_s)
        if not self.description.frames:
            raise CallError(NO_FRAMES, "the model takes no frames: it has no preprocess.json")
        content = None if frame.memory is not None else memoryview(frame.buffer).cast("B")
        nbytes = 0 if content is None else len(content)
        prepared = self._prepare([("frame", "uint8", (nbytes,))], deadline)
        if content is not None:
            try:
                prepared.buffers[0][:] = content
            except BaseException:
                prepared.cancel()
                raise
        remaining = None if deadline is None else deadline - time.monotonic()
        return prepared.run(remaining, lambda call, deadline_ns: self._frame_packet(frame, prepared, call, deadline_ns))

    def _frame_packet(self, frame: FrameSource, prepared: PreparedCall, call: int, deadline_ns: int) -> bytes:
        """Return the packet for a frame; its memory is shared with the server first where it was not yet."""
        memory = 0
        if frame.memory is not None:
            with self._exchange.lock:
                memory = self._shared(frame.memory)
        return wire.encode(
            wire.Frame(
                call,
                prepared.memory.generation,
                prepared.slot,
                deadline_ns,
                memory,
                0 if frame.memory is None else frame.offset,
                frame.width,
                frame.height,
                frame.pixel_format,
            )
        )

    def _shared(self, memory: RingMemory) -> int:
        """Return the number under which the server knows the memory. Lock held."""
        while self._unshared:
            self._exchange.send_now(wire.encode(wire.Unshare(self._unshared.popleft())))
        number = self._shares.get(memory)
        if number is None:
            number = self._next_share
            self._next_share += 1
            self._exchange.send(wire.encode(wire.Share(number, memory.nbytes)), None, [memory.fd])
            self._shares[memory] = number
            # Finalisers may run while this thread holds the lock, so they only append.
            weakref.finalize(memory, self._unshared.append, number)
        return number

    def close(self) -> None:
        """Disconnect; calls that wait raise :class:`CallLost`. May be called again."""
        with self._exchange.changed:
            self._exchange.lose("the call client was closed")
            if self._memory is not None:
                self._memory.turns.clear()
            self._memory = None

    def _prepare(self, inputs: Sequence[Tuple[str, str, Sequence[int]]], deadline: Optional[float]) -> PreparedCall:
        placed, input_bytes = lay_out(inputs)
        with self._exchange.lock:
            self._exchange.check()
        memory, slot = self.take_slot(input_bytes, deadline)
        return PreparedCall(
            memory,
            slot,
            placed,
            self._run,
            lambda: self.free_slot(memory, slot),
            lambda: self._dropped.append((memory, slot)),
        )

    def take_slot(self, input_bytes: int, deadline: Optional[float]) -> Tuple[SlotMemory, int]:
        """Reserve a slot with room for so many bytes of inputs, for :class:`RepeatedCall`; errors are a call's."""
        with self._exchange.lock:
            while True:
                if self._dropped:
                    self._reclaim()
                memory = self._memory
                if memory is None or input_bytes > memory.input_bytes or self._wants_larger_outputs(memory):
                    self._open(memory, input_bytes, deadline)
                elif memory.free:
                    return memory, memory.take()
                elif deadline is not None and time.monotonic() >= deadline:
                    raise CallTimeout("all {} slots of the model call channel are in use".format(memory.slots))
                else:
                    self._wait_for_slot(memory, deadline)

    def _wants_larger_outputs(self, memory: SlotMemory) -> bool:
        return self._outputs_may_grow and self._wanted_output_bytes > memory.output_bytes

    def _reclaim(self) -> None:
        """Take back the slots of what was dropped without being closed, unless something still looks at them."""
        for _ in range(len(self._dropped)):
            memory, slot = self._dropped.popleft()
            if memory.in_use(slot):
                self._dropped.append((memory, slot))
            else:
                self._release(memory, slot)

    def _wait_for_slot(self, memory: SlotMemory, deadline: Optional[float]) -> None:
        soon = time.monotonic() + _DROPPED_POLL_S
        self._exchange.wait(
            lambda: memory.free or self._memory is not memory,
            soon if deadline is None else min(soon, deadline),
            looks_here=True,
        )

    def _open(self, memory: Optional[SlotMemory], input_bytes: int, deadline: Optional[float]) -> None:
        """Get a new generation of slots, or wait for the one that another thread asked for. Lock held."""
        ours = None
        if self._opening is None:
            room = max(input_bytes, 1 if memory is None else memory.input_bytes)
            if memory is not None and len(memory.free) == memory.slots:
                # Given back first: both together may be more than the server lets one client have.
                memory.retired, self._memory = True, None
                self._close_if_unused(memory)
            wanted_output_bytes = self._wanted_output_bytes if self._outputs_may_grow else 0
            ours = wire.Open(self._next_request, aligned(room, mmap.PAGESIZE), wanted_output_bytes)
            self._next_request = (self._next_request + 1) & 0xFFFFFFFF
            self._exchange.send(wire.encode(ours), deadline)
            self._opening = ours
        opening = self._opening
        if not self._exchange.wait(lambda: self._opening is not opening, deadline):
            raise CallTimeout("the model server gave no room for the inputs in time")
        refused = None if ours is None else self._refused.pop(ours.request, None)
        if refused is None:
            return
        if memory is None or input_bytes > memory.input_bytes:
            raise CallError(refused.code, refused.message)
        # Only room for larger outputs was asked for: they go on coming in a memory of their own.
        self._outputs_may_grow = False

    def _run(self, prepared: PreparedCall, timeout_s: Optional[float], make: Optional[MakePacket] = None) -> CallResult:
        memory, slot = prepared.memory, prepared.slot
        deadline, call = _deadline(timeout_s), next(self._calls)
        try:
            if make is None:
                packet = wire.Call(call, memory.generation, slot, _deadline_ns(deadline), prepared.inputs)
                data = wire.encode(packet)
            else:
                data = make(call, _deadline_ns(deadline))
        except RingError as error:
            self.free_slot(memory, slot)
            if isinstance(error, CallFailure):
                raise
            raise CallError(TOO_LARGE, str(error)) from error
        pending = self._ask(memory, slot, call, data, deadline)
        return CallResult(
            self.outputs(pending),
            lambda: pending.extra is None and memory.in_use(slot),
            lambda: self.free_slot(memory, slot),
            lambda: self._dropped.append((memory, slot)),
        )

    def run_slot(self, memory: SlotMemory, slot: int, rest: bytes, deadline: Optional[float]) -> Pending:
        """Call the model with what lies in a slot that was taken, for :class:`RepeatedCall`, and return the answer.

        Errors are those of :meth:`call`; the slot is then freed, now or when the answer comes.
        """
        call = next(self._calls)
        return self._ask(memory, slot, call, wire.call_head(call, _deadline_ns(deadline)) + rest, deadline)

    def _ask(self, memory: SlotMemory, slot: int, call: int, data: bytes, deadline: Optional[float]) -> Pending:
        """Send a call and wait for its answer, which is no fault. After an error the slot is not the caller's."""
        pending = Pending(memory, slot)
        with self._exchange.lock:
            self._pending[call] = pending
            try:
                self._exchange.send(data, deadline)
            except CallFailure:
                # Not sent, so no answer will come for it.
                del self._pending[call]
                self._release(memory, slot)
                raise
            except BaseException:
                pending.abandoned = True
                raise
            try:
                if not self._exchange.wait(pending.answered, deadline):
                    raise CallTimeout("the model gave no answer in time")
            except BaseException:
                # The server may still write into the slot: it stays reserved until the answer comes.
                pending.abandoned = True
                if pending.answer is not None:
                    self._release(memory, slot)
                raise
            answer = pending.answer
            if isinstance(answer, wire.Fault):
                self._release(memory, slot)
                if answer.code == EXPIRED:
                    raise CallTimeout(answer.message)
                raise CallError(answer.code, answer.message)
        return pending

    def outputs(self, pending: Pending, *, own: bool = False) -> Tuple[TensorView, ...]:
        """Return the outputs of an answered call; ``own``: the caller answers for the end of the views.

        :raises CallLost: when the answer makes no sense.
        """
        assert isinstance(pending.answer, bytes)  # noqa: S101
        try:
            placed = wire.decode_tensors(pending.answer)
            if pending.extra is None:
                views = pending.memory.own_outputs if own else pending.memory.output_views
                return views(pending.slot, placed)
            return place_views(memoryview(pending.extra), placed)
        except RingError as error:
            with self._exchange.lock:
                self._exchange.lose("the model server broke the protocol: {}".format(error))
                raise CallLost(str(self._exchange.lost)) from error

    def free_slot(self, memory: SlotMemory, slot: int) -> None:
        """Take a slot back that nothing looks at any more."""
        with self._exchange.lock:
            if memory.retired or self._exchange.watched:
                self._release(memory, slot)
            else:
                memory.free.add(slot)

    def _release(self, memory: SlotMemory, slot: int) -> None:
        """Take a slot back. Lock held."""
        memory.free.add(slot)
        self._close_if_unused(memory)
        self._exchange.announce()

    def _close_if_unused(self, memory: SlotMemory) -> None:
        """Tell the server when no slot of a replaced generation is used any more. Lock held."""
        if memory.retired and len(memory.free) == memory.slots:
            self._exchange.send_now(wire.encode(wire.Close(memory.generation)))
            memory.turns.clear()

    def _apply(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Take in what the server sent. Lock held."""
        answer = wire.split_answer(data)
        if answer is not None:
            call, extra_bytes, rest = answer
            pending = self._pending.pop(call, None)
            if pending is None or pending.abandoned or extra_bytes:
                self._answered_specially(call, pending, rest, extra_bytes, descriptors)
            else:
                pending.answer = rest
            return
        packet = wire.decode(data)
        if isinstance(packet, wire.Fault):
            self._answered_specially(packet.call, self._pending.pop(packet.call, None), packet, 0, descriptors)
        elif isinstance(packet, wire.Memory) and self._opening is not None and packet.answers(self._opening):
            memory = SlotMemory(packet, descriptors)
            previous, self._memory, self._opening = self._memory, memory, None
            if previous is not None:
                previous.retired = True
                self._close_if_unused(previous)
        elif isinstance(packet, wire.Refused) and self._opening is not None and packet.request == self._opening.request:
            self._opening = None
            self._refused = {packet.request: packet}
        elif isinstance(packet, wire.Describe) and self._description is None:
            self._description = packet.description
        else:
            raise RingError("unexpected {}".format(type(packet).__name__))

    def _answered_specially(
        self,
        call: int,
        pending: Optional[Pending],
        answer: Union[bytes, wire.Fault],
        extra_bytes: int,
        descriptors: Sequence[int],
    ) -> None:
        if pending is None:
            raise RingError("answer to call {}, which was not made".format(call))
        if extra_bytes:
            pending.extra = map_descriptor(_one(descriptors), extra_bytes)
            self._wanted_output_bytes = max(self._wanted_output_bytes, extra_bytes)
        pending.answer = answer
        if pending.abandoned:
            self._release(pending.memory, pending.slot)


def _one(descriptors: Sequence[int]) -> int:
    if len(descriptors) != 1:
        raise RingError("{} descriptors came with a memory, expected 1".format(len(descriptors)))
    return descriptors[0]


def _deadline_ns(deadline: Optional[float]) -> int:
    return 0 if deadline is None else max(1, int(deadline * 1e9))


def _deadline(timeout_s: Optional[float]) -> Optional[float]:
    return None if timeout_s is None else time.monotonic() + timeout_s
