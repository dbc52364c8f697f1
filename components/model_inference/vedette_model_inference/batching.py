"""How many calls one run of a model had better answer: found out when it is loaded, never taken on trust.

A batch must give what its members give alone, and be faster. Measured on two cores of an EPYC, CPU time for each
picture in batches of 1 and 8: NanoDet-g int8 16.8 and 18.2 ms, EfficientNet-Lite0 9.7 and 9.8 ms (convolutions fill a
core by themselves, and larger ones leave its cache); a network of large matrices 3.1 and 0.6 ms, because its
weights are read once for all of them.
"""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np

from vedette.messages import Tensor
from vedette.rings.calls import TensorSpec
from vedette_model_inference.session import Array, RunError, Session, known_shape

logger = logging.getLogger(__name__)

_CLOSE = 1e-3
"""Of the output's range: another size of matrix product adds up in another order."""


_SIZES = (2, 4, 8, 16, 32, 64)
_GAIN = 0.9
"""A batch is worth its wait when a picture takes less than this part of the time it takes alone."""
_ROUNDS = 3
_BUDGET_S = 2.0


def best_batch(
    session: Session, declared: Sequence[Tensor], most: int, clock: Callable[[], float] | None = None
) -> int:
    """Return how many calls a run had better answer, at most ``most``; 1 where the model cannot, or gains nothing."""
    if most < 2 or not can_batch(session, declared):
        return 1
    if clock is None:
        # What a processor does is counted in its time, whatever else the machine does; a GPU's only by the clock.
        clock = time.process_time if session.provider == "CPU" else time.perf_counter
    shapes = {spec.name: known_shape(spec, declared, len(session.inputs), 1) for spec in session.inputs}
    began = clock()
    alone = best = _fastest(session, shapes, 1, clock)
    chosen = 1
    for size in (*(size for size in _SIZES if size < most), most):
        if clock() - began > _BUDGET_S:
            break
        each = _fastest(session, shapes, size, clock) / size
        if each < best * 0.97 and each < alone * _GAIN:
            best, chosen = each, size
    logger.info("one run answers up to %s calls: %.2f ms a call, %.2f ms alone", chosen, best * 1e3, alone * 1e3)
    return chosen


def _fastest(session: Session, shapes: dict[str, tuple[int, ...]], size: int, clock: Callable[[], float]) -> float:
    """Return the shortest of some runs, seconds: whatever else the machine does only makes runs longer."""
    inputs = {spec.name: np.zeros((size, *shapes[spec.name][1:]), spec.dtype) for spec in session.inputs}
    taken = []
    try:
        session.run(inputs)
        for _ in range(_ROUNDS):
            begin = clock()
            session.run(inputs)
            taken.append(clock() - begin)
    except RunError:
        return float("inf")
    return min(taken)


def can_batch(session: Session, declared: Sequence[Tensor]) -> bool:
    """Tell whether two inputs in one run give what each of them gives alone.

    Models whose first dimensions are fixed cannot; a free one may mean something else than a batch.
    """
    specs = [*session.inputs, *session.outputs]
    if not session.inputs or not all(_free_first(spec) for spec in specs):
        return False
    rng = np.random.default_rng(11)
    shapes = {spec.name: known_shape(spec, declared, len(session.inputs), 1) for spec in session.inputs}
    if any(shape[0] != 1 for shape in shapes.values()):
        return False
    singles = [
        {spec.name: rng.random(shapes[spec.name]).astype(spec.dtype) for spec in session.inputs} for _ in range(2)
    ]
    try:
        alone = [session.run(single) for single in singles]
        both = {name: np.concatenate([single[name] for single in singles]) for name in singles[0]}
        together = session.run(both)
    except RunError as error:
        logger.info("calls are not batched: the model fails on two inputs at once: %s", error)
        return False
    for index, output in enumerate(together):
        for number, single in enumerate(alone):
            if not _equal(single[index], output, number):
                logger.info("calls are not batched: output %s changes with its neighbour", session.outputs[index].name)
                return False
    return True


def _free_first(spec: TensorSpec) -> bool:
    return bool(spec.shape) and (isinstance(spec.shape[0], str) or spec.shape[0] < 0)


def _equal(single: Array, output: Array, number: int) -> bool:
    if single.shape[:1] != (1,) or output.shape != (2, *single.shape[1:]):
        return False
    one, other = single[0].astype(np.float64), output[number].astype(np.float64)
    span = float(np.ptp(one)) if one.size else 0.0
    return bool(np.allclose(one, other, rtol=_CLOSE, atol=_CLOSE * max(span, 1e-6), equal_nan=True))
