"""A slot between its reservation and its call."""

from typing import Callable, List, Optional, Tuple

from .errors import CallError
from .result import CallResult
from .slots import SlotMemory, release_views
from .tensors import Placed, tensor_bytes

MakePacket = Callable[[int, int], bytes]
"""Makes a call's packet of its number and deadline (ns of CLOCK_MONOTONIC)."""


class PreparedCall:
    """A slot reserved for one call: write the inputs into ``buffers``, then :meth:`run`, or :meth:`cancel`.

    ``buffers``: a flat writable view per input, in the order asked for; nothing may use them after ``run``.
    """

    def __init__(
        self,
        memory: SlotMemory,
        slot: int,
        inputs: Tuple[Placed, ...],
        run: "Callable[[PreparedCall, Optional[float], Optional[MakePacket]], CallResult]",
        free: Callable[[], None],
        drop: Callable[[], None],
    ) -> None:
        self.memory = memory
        self.slot = slot
        self.inputs = inputs
        self._run = run
        self._free = free
        self._drop = drop
        self._spent = False
        self.buffers: List[memoryview] = []
        for placed in inputs:
            nbytes = tensor_bytes(placed.dtype, placed.shape)
            self.buffers.append(memory.input_view(slot, placed.offset, nbytes))

    def run(self, timeout_s: Optional[float] = None, make: "Optional[MakePacket]" = None) -> CallResult:
        """Call the model with what the buffers hold; see :meth:`CallClient.call`.

        :raises BufferError: when something still uses a buffer (numpy.frombuffer, for one): it could change the
            inputs of another call later. Nothing was called then.
        """
        self._spend()
        return self._run(self, timeout_s, make)

    def cancel(self) -> None:
        """Give the slot back without a call; does nothing after ``run`` or a first ``cancel``.

        :raises BufferError: as :meth:`run`.
        """
        if not self._spent:
            self._spend()
            self._free()

    def _spend(self) -> None:
        if self._spent:
            raise CallError("spent", "this prepared call was run or cancelled before: prepare another")
        release_views(self.buffers)
        if self.memory.in_use(self.slot):
            raise BufferError("a buffer of the prepared call is still in use: let go of it before the call is made")
        self._spent = True

    def __del__(self) -> None:
        if not self._spent:
            release_views(self.buffers)
            self._drop()
