"""What a model looks like to this component, whichever engine runs it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vedette.messages import Tensor
from vedette.rings.calls import TensorSpec

Array = npt.NDArray[Any]


class Session(Protocol):
    """A loaded model. One thread at a time runs it, unless ``concurrent``."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may run it at once, and gain by it."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """What the file takes, in its order; -1 or a name is a free dimension."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What the file gives, in its order."""

    @property
    def provider(self) -> str:
        """What runs it, for people: ``CPU``, ``CUDA``."""

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """Return the outputs in the model's order.

        :raises RunError: when the engine refuses the inputs or fails.
        """

    def bind(self, inputs: Mapping[str, Array], outputs: Sequence[Array]) -> "Callable[[], None] | None":
        """Return what runs the model on ``inputs`` and writes to ``outputs`` at each of its calls; None if it cannot.

        Arrays that the engine reads and writes in place: they have to stay where they are. Raises RunError as
        :meth:`run`, also when an output is of another shape than its array.
        """

    def interrupt(self) -> None:
        """Make a run that goes on end early, with an error; from any thread."""

    def share(self) -> "Session | None":
        """Return the same loaded model for another user, whom ``interrupt`` does not touch; None where that cannot be.

        Users may be on threads of their own.
        """


class RunError(Exception):
    """The engine could not run the model; the text says why, in one line."""


def zeros(inputs: Sequence[TensorSpec], declared: Sequence[Tensor]) -> dict[str, Array]:
    """Return inputs for a first run: zeros, with free dimensions taken from the descriptor, else 1."""
    return {spec.name: np.zeros(known_shape(spec, declared, len(inputs), 1), spec.dtype) for spec in inputs}


def known_shape(spec: TensorSpec, declared: Sequence[Tensor], count: int, otherwise: int) -> tuple[int, ...]:
    """Return an input's shape with each free dimension taken from the descriptor, or ``otherwise``.

    The descriptor's input of the same name counts, or its only one where the model has only one, too.
    """
    shape: Sequence[int | str] | None = None
    for tensor in declared:
        if tensor.name == spec.name or len(declared) == count == 1:
            shape = tensor.shape
    if shape is None or len(shape) != len(spec.shape):
        shape = spec.shape
    return tuple(
        fixed if isinstance(fixed, int) and fixed >= 0 else free if isinstance(free, int) and free >= 0 else otherwise
        for fixed, free in zip(spec.shape, shape, strict=True)
    )
