"""Answers the calls of one model."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from vedette.pictures.geometry import Placement
from vedette.pictures.specification import SpecificationError
from vedette.rings.calls import (
    CallError,
    CallHandler,
    CallInput,
    CallOutcome,
    CallRefused,
    Description,
    FrameView,
    TensorBuffer,
    TensorView,
)
from vedette.rings.calls.errors import NO_FRAMES, RUN_FAILED
from vedette_model_inference.loading import LoadedModel
from vedette_model_inference.matching import match
from vedette_model_inference.run_gate import RunGate
from vedette_model_inference.run_times import RunTimes
from vedette_model_inference.session import Array, RunError

ResultT = TypeVar("ResultT")


@dataclass
class _Job:
    """A call on its way: its inputs, and of a frame where it lies in them."""

    inputs: dict[str, Array]
    placement: Placement | None = None

    @property
    def batch(self) -> int:
        """How many pictures it brings."""
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def kind(self) -> tuple[Any, ...]:
        """What has to be equal for two jobs to be run as one."""
        return tuple((name, array.dtype, array.shape[1:]) for name, array in self.inputs.items())


class ModelHandler(CallHandler):
    """Runs a loaded model on what applications send; ``times`` is what the runs took.

    :param gate: lets as many runs at once as there are processor threads
    :param lanes: so many calls may run side by side, where the engine can and they are not run as one
    """

    def __init__(
        self,
        model: LoadedModel,
        clock: Callable[[], float] = time.monotonic,
        *,
        gate: RunGate | None = None,
        lanes: int = 1,
    ) -> None:
        self._session = model.session
        self._declared = model.declared
        self._frames = model.frames
        self._output_bytes = model.output_bytes
        self._names = [spec.name for spec in model.session.outputs]
        self._clock = clock
        self._gate = gate
        self.lanes = lanes if model.session.concurrent and model.batch == 1 else 1
        self.max_batch = model.batch
        self.times = RunTimes()

    @property
    def description(self) -> Description:
        """The file's inputs and outputs; a single input under the name by which applications know it."""
        inputs = tuple(self._session.inputs)
        if len(inputs) == len(self._declared) == 1:
            inputs = (inputs[0]._replace(name=self._declared[0].name),)
        return Description(inputs, tuple(self._session.outputs), self._frames is not None)

    @property
    def output_bytes(self) -> int:
        """What the outputs of the first run took."""
        return self._output_bytes

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        """Return the outputs, in the model's order.

        :raises CallRefused: when the inputs do not fit, or the engine fails on them.
        """
        return _single(self.run_many([tuple(inputs)]))

    def run_frame(self, frame: FrameView) -> Sequence[TensorBuffer]:
        """Return the outputs for a frame: the model's, or boxes where a postprocess block asks for them.

        :raises CallRefused: when the model takes no frames, or fails on this one.
        """
        return _single(self.run_many([frame]))

    def run_many(self, calls: Sequence[CallInput]) -> Sequence[CallOutcome]:
        """Return the outcome of each call; those that fit one another are run as one."""
        outcomes: list[CallOutcome | None] = [None] * len(calls)
        groups: dict[tuple[Any, ...], list[tuple[int, _Job]]] = {}
        for number, call in enumerate(calls):
            try:
                job = self._job(call)
            except CallError as error:
                outcomes[number] = error
                continue
            key = job.kind if len(calls) > 1 else ()
            groups.setdefault(key, []).append((number, job))
        for members in groups.values():
            for number, outcome in zip((n for n, _ in members), self._run([job for _, job in members]), strict=True):
                outcomes[number] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def bind(self, inputs: Sequence[TensorView], outputs: Sequence[TensorView]) -> Callable[[], None] | None:
        """See :class:`CallHandler`; where no input has to be cast or copied."""
        try:
            given = match(inputs, self._session.inputs, self._declared)
        except CallError:
            return None
        sources = [np.frombuffer(tensor.buffer, np.uint8) for tensor in inputs]
        if any(not any(np.may_share_memory(array, source) for source in sources) for array in given.values()):
            return None
        targets = [np.ndarray(tensor.shape, tensor.dtype, tensor.buffer) for tensor in outputs]
        run = self._session.bind(given, targets)
        if run is None:
            return None
        # The engine knows their addresses only.
        held = (given, targets)

        def bound(_held: object = held) -> None:
            try:
                self._timed(run, 1)
            except RunError as error:
                raise CallRefused(RUN_FAILED, f"the model run failed: {error}") from error

        return bound

    def interrupt(self) -> None:
        """End a run that goes on; from any thread."""
        self._session.interrupt()

    def _job(self, call: CallInput) -> _Job:
        if not isinstance(call, FrameView):
            return _Job(match(call, self._session.inputs, self._declared))
        if self._frames is None:
            raise CallRefused(NO_FRAMES, "the model takes no frames: it has no preprocess.json")
        return _Job(*self._frames.inputs(call))

    def _run(self, jobs: list[_Job]) -> Sequence[CallOutcome]:
        if len(jobs) > 1:
            try:
                return self._run_together(jobs)
            except RunError:
                # One of them may be what the model cannot take: then only that one fails.
                return [self._run([job])[0] for job in jobs]
        try:
            outputs = self._timed(partial(self._session.run, jobs[0].inputs), 1)
        except RunError as error:
            return [CallRefused(RUN_FAILED, f"the model run failed: {error}")]
        return [self._outcome(jobs[0], outputs)]

    def _run_together(self, jobs: list[_Job]) -> Sequence[CallOutcome]:
        whole = {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}
        outputs = self._timed(partial(self._session.run, whole), len(jobs))
        total = sum(job.batch for job in jobs)
        if any(not output.shape or output.shape[0] != total for output in outputs):
            raise RunError("the outputs are not of the batch's size")
        outcomes, begin = [], 0
        for job in jobs:
            end = begin + job.batch
            outcomes.append(self._outcome(job, [output[begin:end] for output in outputs]))
            begin = end
        return outcomes

    def _timed(self, run: Callable[[], ResultT], calls: int) -> ResultT:
        gate = self._gate
        if gate is not None:
            gate.enter()
        try:
            begin = self._clock()
            result = run()
            self.times.add(self._clock() - begin, calls)
        finally:
            if gate is not None:
                gate.leave()
        return result

    def _outcome(self, job: _Job, outputs: Sequence[Array]) -> CallOutcome:
        names = self._names
        if job.placement is not None and self._frames is not None and self._frames.gives_boxes:
            try:
                outputs = self._frames.boxes(names, outputs, job.placement)
            except SpecificationError as error:
                return CallRefused(RUN_FAILED, f"postprocess does not fit the model's outputs: {error}")
            names = ["boxes", "scores", "classes"]
        # As bytes: the buffer protocol of older Pythons has no word for float16.
        return [
            TensorBuffer(name, array.dtype.name, array.shape, np.ascontiguousarray(array).reshape(-1).view(np.uint8))
            for name, array in zip(names, outputs, strict=True)
        ]


def _single(outcomes: Sequence[CallOutcome]) -> Sequence[TensorBuffer]:
    if isinstance(outcomes[0], CallError):
        raise outcomes[0]
    return outcomes[0]
