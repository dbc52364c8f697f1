"""From what an application sent to what the model takes: names, element types, shapes.

Applications of AWS Panorama pass float64, leave the batch dimension out, or flatten; the appliance took all of it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from vedette.messages import Tensor
from vedette.rings.calls import CallRefused, TensorSpec, TensorView
from vedette.rings.calls.errors import MISSING_INPUT, UNKNOWN_INPUT, WRONG_SHAPE
from vedette_model_inference.session import Array, known_shape

_INDEX_TYPES = ("int32", "int64")


def match(sent: Sequence[TensorView], inputs: Sequence[TensorSpec], declared: Sequence[Tensor]) -> dict[str, Array]:
    """Return the model's inputs by the file's names.

    Arrays are views of the application's memory where type and shape fit. Integers that may be indices are copied
    always: engines check an index and then use it, and the application could change it in between.

    :raises CallRefused: for an input that is unknown, missing, sent twice, or of a shape that does not fit.
    """
    arrays: dict[str, Array] = {}
    specs = {spec.name: spec for spec in inputs}
    for tensor in sent:
        spec = specs[_name(tensor.name, len(sent), specs, declared)]
        if spec.name in arrays:
            raise CallRefused(UNKNOWN_INPUT, f"input {spec.name!r} was sent twice")
        arrays[spec.name] = _fit(_array(tensor), tensor.name or spec.name, spec, declared, len(inputs))
    missing = [name for name in specs if name not in arrays]
    if missing:
        raise CallRefused(MISSING_INPUT, f"input {_names(missing)} is missing: the model takes {_names(specs)}")
    return arrays


def _name(name: str, sent: int, specs: Mapping[str, TensorSpec], declared: Sequence[Tensor]) -> str:
    """Return the file's name of an input: its own, or the only one where application and file know only one."""
    if name in specs:
        return name
    if sent == len(specs) == 1 and (not name or [tensor.name for tensor in declared] == [name]):
        return next(iter(specs))
    if not name:
        raise CallRefused(UNKNOWN_INPUT, f"an array without a name was sent, the model takes {_names(specs)}")
    also = [tensor.name for tensor in declared if tensor.name not in specs] if len(declared) == len(specs) == 1 else []
    raise CallRefused(UNKNOWN_INPUT, f"input {name!r} is unknown: the model takes {_names([*specs, *also])}")


def _array(tensor: TensorView) -> Array:
    array: Array = np.ndarray(tensor.shape, tensor.dtype, tensor.buffer)
    if tensor.dtype in _INDEX_TYPES or not array.flags.aligned:
        return array.copy()
    return array


def _fit(array: Array, name: str, spec: TensorSpec, declared: Sequence[Tensor], count: int) -> Array:
    shape = _shape(array.shape, array.size, spec, declared, count)
    if shape is None:
        wanted = "x".join(str(d) if d != -1 else "?" for d in spec.shape)
        got = "x".join(map(str, array.shape))
        raise CallRefused(
            WRONG_SHAPE, f"input {name!r} has the shape {got or 'of a single number'}, the model takes {wanted}"
        )
    # As numpy's astype does it: too large becomes infinite, NaN as an integer is whatever the processor says.
    with np.errstate(all="ignore"):
        return array.reshape(shape).astype(spec.dtype, copy=False)


def _shape(
    shape: tuple[int, ...], size: int, spec: TensorSpec, declared: Sequence[Tensor], count: int
) -> tuple[int, ...] | None:
    """Return the shape to give an array so that the model takes it, or None."""
    if _agrees(shape, spec):
        return shape
    if _agrees((1, *shape), spec):
        return (1, *shape)
    known = known_shape(spec, declared, count, -1)
    if -1 not in known and int(np.prod(known, dtype=np.int64)) == size:
        return known
    return None


def _agrees(shape: Sequence[int], spec: TensorSpec) -> bool:
    return len(shape) == len(spec.shape) and all(
        wanted == got or not isinstance(wanted, int) or wanted < 0
        for got, wanted in zip(shape, spec.shape, strict=True)
    )


def _names(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(map(repr, names))
