"""What a call gave."""

from typing import Callable, List, Optional, Sequence, Type

from .tensors import TensorView


class CallResult:
    """The outputs of a call, in the model's order, as views of shared memory. A context manager.

    The views are good until :meth:`close`, which frees the slot for another call: copy what is kept.
    """

    def __init__(self, outputs: Sequence[TensorView], free: Callable[[], None], drop: Callable[[], None]) -> None:
        self.outputs: List[TensorView] = list(outputs)
        self._free: Optional[Callable[[], None]] = free
        self._drop = drop

    def close(self) -> None:
        """Give the slot back; the views cannot be used any more. May be called again.

        :raises BufferError: when something still uses an output without a copy (numpy.frombuffer, for one). The slot
            then stays out of use until a later ``close`` succeeds, so that the output never changes under its user.
        """
        self._release_views()
        free, self._free = self._free, None
        if free is not None:
            free()

    def _release_views(self) -> None:
        for output in self.outputs:
            try:
                output.buffer.release()
            except BufferError as error:
                raise BufferError(
                    "output {!r} is still in use without a copy: copy it before the result is closed".format(
                        output.name
                    )
                ) from error

    def __enter__(self) -> "CallResult":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._free is not None:
            try:
                self._release_views()
            except BufferError:
                # The user of the view keeps it; this slot is out of use until the memory is replaced.
                return
            self._drop()
