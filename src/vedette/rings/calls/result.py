"""What a call gave."""

from typing import Callable, List, Optional, Sequence, Type

from .slots import release_views
from .tensors import TensorView


class CallResult:
    """The outputs of a call, in the model's order, as views of shared memory. A context manager.

    The views are good until :meth:`close`, which frees the slot for another call: copy what is kept.
    """

    def __init__(
        self,
        outputs: Sequence[TensorView],
        in_use: Callable[[], bool],
        free: Callable[[], None],
        drop: Callable[[], None],
    ) -> None:
        self.outputs: List[TensorView] = list(outputs)
        self._in_use = in_use
        self._free: Optional[Callable[[], None]] = free
        self._drop = drop

    def close(self) -> None:
        """Give the slot back; the views cannot be used any more. May be called again.

        :raises BufferError: when something made of an output without a copy is alive (numpy.frombuffer, a slice). The
            slot then stays out of use until a later ``close`` succeeds, so that nothing changes under its user.
        """
        if self._free is None:
            return
        release_views([output.buffer for output in self.outputs])
        if self._in_use():
            raise BufferError("an output is still in use without a copy: copy it before the result is closed")
        free, self._free = self._free, None
        free()

    def __enter__(self) -> "CallResult":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: object) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close()
        except BufferError:
            # The first error says more; its traceback is what keeps the outputs. The finaliser comes back to it.
            return

    def __del__(self) -> None:
        if self._free is not None:
            release_views([output.buffer for output in self.outputs])
            self._drop()
