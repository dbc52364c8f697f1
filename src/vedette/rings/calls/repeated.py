"""Calls with the same kind of tensors again and again, as applications make them: what each needs is made once.

After a model has run, the processor's caches hold nothing of the caller's: at 10 ms a run, looking up, checking and
making views cost a call half a millisecond.
"""

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple

from ..errors import RingError
from . import wire
from .errors import TOO_LARGE, CallError, CallFailure
from .slots import SlotMemory
from .tensors import TensorView, lay_out

if TYPE_CHECKING:
    from .client import CallClient

MakeArray = Callable[[TensorView], Any]
"""Makes what the caller works with of a view, without a copy: an array of its type and shape."""


class RepeatedCall:
    """Calls of a client's model with inputs of one signature, given as (name, dtype, shape). For any number of threads.

    ``make_array`` makes the arrays in which a :class:`Turn` shows inputs and outputs. ``keep``: what a call needs is
    kept for the next one, as long as the client has the memory that it lies in.

    :raises CallError: for a type or shape that cannot be sent.
    """

    def __init__(
        self,
        client: "CallClient",
        inputs: Sequence[Tuple[str, str, Sequence[int]]],
        make_array: MakeArray,
        keep: bool = True,
    ) -> None:
        self.client = client
        self.make_array = make_array
        self.placed, self._input_bytes = lay_out(inputs)
        self._keep = keep

    def turn(self, deadline: Optional[float] = None) -> "Turn":
        """Reserve a slot: fill its ``inputs``, then :meth:`Turn.run`; :meth:`Turn.free` it in any case.

        :param deadline: of ``time.monotonic()``, here and in :meth:`Turn.run`; None waits for ever
        :raises CallTimeout: no slot was free in time.
        :raises CallError: the inputs are too large, or too many to be named in a packet.
        :raises CallLost: the server is gone, or this process was forked from the one that made the client.
        """
        memory, slot = self.client.take_slot(self._input_bytes, deadline)
        turn = memory.turns.get((self, slot))
        if turn is None:
            try:
                turn = Turn(self, memory, slot)
            except BaseException as error:
                self.client.free_slot(memory, slot)
                if isinstance(error, RingError) and not isinstance(error, CallFailure):
                    raise CallError(TOO_LARGE, str(error)) from error
                raise
            if self._keep:
                memory.turns[self, slot] = turn
        turn.held = True
        return turn


class Turn:
    """One call of a :class:`RepeatedCall` after the other: a slot, and what does not change in it.

    ``inputs``: arrays to write to, in the order of the signature. Nothing but the turn may keep these, those that
    :meth:`run` returns, or anything that looks at their memory: after :meth:`free` it is another call's.
    """

    def __init__(self, repeated: RepeatedCall, memory: SlotMemory, slot: int) -> None:
        self.held = True
        self._client = repeated.client
        self._make_array = repeated.make_array
        self._memory = memory
        self._slot = slot
        packet = wire.split_call(wire.encode(wire.Call(0, memory.generation, slot, 0, repeated.placed)))
        assert packet is not None  # noqa: S101
        self._rest = packet[2]
        self._answer_tail: Any = None
        self._outputs: List[Any] = []
        self.inputs = self._arrays(memory.own_inputs(slot, repeated.placed))

    def run(self, deadline: Optional[float] = None) -> List[Any]:
        """Call the model with what the inputs hold and return its outputs, to be read until :meth:`free`.

        Errors are those of :meth:`CallClient.call`; the slot of a call that was not answered is held until it is.
        """
        self.held = False
        pending = self._client.run_slot(self._memory, self._slot, self._rest, deadline)
        self.held = True
        if pending.extra is None and pending.answer == self._answer_tail:
            return self._outputs
        outputs = self._arrays(self._client.outputs(pending, own=True))
        if pending.extra is None:
            self._outputs, self._answer_tail = outputs, pending.answer
        return outputs

    def free(self) -> None:
        """Give the slot back, unless the server has it; may be called again."""
        if self.held:
            self.held = False
            self._client.free_slot(self._memory, self._slot)

    def _arrays(self, views: Sequence[TensorView]) -> List[Any]:
        return [self._make_array(view) for view in views]
