"""Answers the calls of one model."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from vedette.rings.calls import CallHandler, CallRefused, Description, TensorBuffer, TensorView
from vedette.rings.calls.errors import RUN_FAILED
from vedette_model_inference.loading import LoadedModel
from vedette_model_inference.matching import match
from vedette_model_inference.run_times import RunTimes
from vedette_model_inference.session import RunError


class ModelHandler(CallHandler):
    """Runs a loaded model on what applications send; ``times`` is what the runs took."""

    def __init__(self, model: LoadedModel, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = model.session
        self._declared = model.declared
        self._output_bytes = model.output_bytes
        self._names = [spec.name for spec in model.session.outputs]
        self._clock = clock
        self.times = RunTimes()

    @property
    def description(self) -> Description:
        """The file's inputs and outputs; a single input under the name by which applications know it."""
        inputs = tuple(self._session.inputs)
        if len(inputs) == len(self._declared) == 1:
            inputs = (inputs[0]._replace(name=self._declared[0].name),)
        return Description(inputs, tuple(self._session.outputs))

    @property
    def output_bytes(self) -> int:
        """What the outputs of the first run took."""
        return self._output_bytes

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        """Return the outputs, in the model's order.

        :raises CallRefused: when the inputs do not fit, or the engine fails on them.
        """
        arrays = match(inputs, self._session.inputs, self._declared)
        begin = self._clock()
        try:
            outputs = self._session.run(arrays)
        except RunError as error:
            raise CallRefused(RUN_FAILED, f"the model run failed: {error}") from error
        self.times.add(self._clock() - begin)
        # As bytes: the buffer protocol of older Pythons has no word for float16.
        return [
            TensorBuffer(name, array.dtype.name, array.shape, np.ascontiguousarray(array).reshape(-1).view(np.uint8))
            for name, array in zip(self._names, outputs, strict=True)
        ]

    def interrupt(self) -> None:
        """End a run that goes on; from any thread."""
        self._session.interrupt()
