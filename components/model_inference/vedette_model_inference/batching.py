"""Whether a loaded model may answer several calls with one run: found out by doing so, never taken on trust."""

import logging
from collections.abc import Sequence

import numpy as np

from vedette.messages import Tensor
from vedette.rings.calls import TensorSpec
from vedette_model_inference.session import Array, RunError, Session, known_shape

logger = logging.getLogger(__name__)

_CLOSE = 1e-3
"""Of the output's range: another size of matrix product adds up in another order."""


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
