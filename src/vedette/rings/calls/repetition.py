"""What the server keeps of a call that may come again: the same tensors in the same slot of the same client.

After a model has run, the processor's caches hold none of ours: what has to be looked up, checked and made for a call
costs several times what it does in a loop. So all of that is made once.
"""

import logging
from typing import TYPE_CHECKING, Callable, Optional, Sequence, Tuple

from . import wire
from .slots import place_views
from .tensors import Placed, TensorView

if TYPE_CHECKING:
    from .connection import Memory
    from .server import CallHandler

logger = logging.getLogger(__name__)

BoundRun = Callable[[], None]
"""Runs the model on what lies in a slot and leaves the outputs there."""

_MOST_FAILURES = 3
"""After so many a model is taken to have outputs of other shapes from call to call: a run that fails is a run more."""


class Repetition:
    """One signature of inputs in one slot. ``given``: its inputs; ``outputs_here``: the last run left them there."""

    __slots__ = ("_answer_tail", "_failures", "_run", "given", "memory", "outputs_here", "slot")

    def __init__(self, memory: "Memory", slot: int, given: Tuple[TensorView, ...]) -> None:
        self.memory = memory
        self.slot = slot
        self.given = given
        self.outputs_here = False
        self._run: Optional[BoundRun] = None
        self._failures = 0
        self._answer_tail = b""

    def answered(
        self, handler: "CallHandler", area: Optional[memoryview], placed: Sequence[Placed], answer: bytes
    ) -> None:
        """Note the answer to a usual run: the next one may write its outputs to the same places.

        ``area``: the slot's outputs, None where runs must not write into it.
        """
        if area is None or self._run is not None or self._failures > _MOST_FAILURES:
            return
        self._run = handler.bind(self.given, place_views(area, placed))
        if self._run is None:
            self._failures = _MOST_FAILURES + 1
            return
        split = wire.split_answer(answer)
        assert split is not None  # noqa: S101
        self._answer_tail = split[2]

    @property
    def bound(self) -> bool:
        """Whether it can be run straight into the slot, and the slot may be used."""
        return self._run is not None and self.slot not in self.memory.busy and not self.memory.closing

    def run(self) -> bool:
        """Run the model straight into the slot; False when the call has to be run in the usual way."""
        if self._run is None:
            return False
        try:
            self._run()
        # Nothing may end the server here. The usual run is told of and tells.
        except Exception as error:  # noqa: BLE001
            # The inputs are at fault, or the outputs have other shapes than last time.
            logger.debug("a bound run failed: %s", error)
            self._run = None
            self._failures += 1
            return False
        self.outputs_here = True
        return True

    def answer(self, call: int) -> bytes:
        """Return the encoded answer to a call after :meth:`run` succeeded."""
        self.outputs_here = False
        return wire.answer_head(call) + self._answer_tail
