"""What applications pass to node.call, brought into the form that a model takes; and its outputs, brought back."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ._media import media
from ._rings.calls import CallClient, Description, RepeatedCall, TensorSpec, TensorView


class ModelInput:
    """One input: its values as given, and the element type and shape in which the model gets them."""

    def __init__(self, name: str, values: "np.ndarray[Any, Any]", dtype: str, shape: Tuple[int, ...]) -> None:
        self.name = name
        self.values = values
        self.dtype = dtype
        self.shape = shape


class KnownInputs:
    """Inputs that were found to fit: what has the same names, types and shapes the next time fits, too."""

    def __init__(self, client: CallClient, inputs: Sequence[ModelInput], repeated: RepeatedCall) -> None:
        self.client = client
        self.repeated = repeated
        self._kinds = [(each.name, each.values.dtype, each.values.shape) for each in inputs]
        self._reshaped = any(each.values.shape != each.shape for each in inputs)

    def values(self, given: Any) -> "Optional[List[np.ndarray[Any, Any]]]":
        """Return the arrays in the model's order, or None where the inputs have to be looked at more closely."""
        kinds = self._kinds
        if type(given) is not dict:
            if type(given) is not np.ndarray or len(kinds) != 1:
                return None
            given = {kinds[0][0]: given}
        elif len(given) != len(kinds):
            return None
        found = []
        for name, dtype, shape in kinds:
            value = given.get(name)
            if type(value) is not np.ndarray or value.shape != shape or value.dtype != dtype:
                return None
            found.append(value)
        return found

    def write(self, targets: "Sequence[np.ndarray[Any, Any]]", values: "Sequence[np.ndarray[Any, Any]]") -> None:
        """Copy the values to where the model sees them, cast on the way (cookiecutter applications pass float64)."""
        for target, value in zip(targets, values):  # noqa: B905 - Python 3.10
            (target.reshape(value.shape) if self._reshaped else target)[...] = value


def frame_of(given: Any, description: Description) -> Optional[media]:
    """Return the media that the model takes as a frame, or None when ``given`` is to be passed as arrays.

    A model takes frames when there is a preprocess.json beside its descriptor; its server makes the input then.
    """
    if not description.frames:
        return None
    if isinstance(given, dict) and len(given) == len(description.inputs) == 1:
        given = next(iter(given.values()))
    return given if isinstance(given, media) else None


def model_inputs(model: str, given: Any, specs: Sequence[TensorSpec]) -> List[ModelInput]:
    """Return the inputs for a call of ``model``, which takes ``specs``.

    :param given: a dictionary of arrays by input name; or, for a model with one input, an array or a media.
    :raises ValueError: when the names or shapes do not fit.
    :raises TypeError: for anything else.
    """
    by_name = _by_name(model, given, specs)
    known = [spec.name for spec in specs]
    unknown = sorted(str(name) for name in by_name if name not in known)
    missing = [name for name in known if name not in by_name]
    if unknown or missing:
        raise ValueError(
            "model {!r} takes the inputs {}; {}".format(
                model,
                ", ".join(repr(name) for name in known),
                " and ".join(
                    text
                    for text in (
                        "there is no {}".format(", ".join(repr(name) for name in unknown)) if unknown else "",
                        "the call lacks {}".format(", ".join(repr(name) for name in missing)) if missing else "",
                    )
                    if text
                ),
            )
        )
    return [_fitted(model, spec, by_name[spec.name]) for spec in specs]


def _by_name(model: str, given: Any, specs: Sequence[TensorSpec]) -> Dict[Any, Any]:
    if isinstance(given, dict):
        return given
    if isinstance(given, (media, np.ndarray)):
        if len(specs) != 1:
            raise ValueError(
                "model {!r} has {} inputs ({}): pass a dictionary with an array for each".format(
                    model, len(specs), ", ".join(repr(spec.name) for spec in specs)
                )
            )
        return {specs[0].name: given}
    raise TypeError(
        "call() takes a dictionary of arrays by input name, an array or a media, got {}".format(type(given).__name__)
    )


def _fitted(model: str, spec: TensorSpec, value: Any) -> ModelInput:
    values = value.image if isinstance(value, media) else np.asarray(value)
    if values.dtype.kind not in "biuf":
        raise TypeError("input {!r} of model {!r} holds {}, expected numbers".format(spec.name, model, values.dtype))
    shape = _fitting_shape(values.shape, spec.shape)
    if shape is None:
        raise ValueError(
            "input {!r} of model {!r} has the shape {}, the model takes {}".format(
                spec.name, model, tuple(values.shape), tuple(spec.shape)
            )
        )
    return ModelInput(spec.name, values, spec.dtype, shape)


def _fitting_shape(shape: Tuple[int, ...], declared: Sequence[Any]) -> Optional[Tuple[int, ...]]:
    """Return the shape in which the model can take an array of ``shape``, or None.

    Yolox applications pass (3, 640, 640) to a model of [1, 3, 640, 640]. Another batch size is left to the server.
    """
    if len(shape) == len(declared) and _agree(shape[1:], declared[1:]):
        return shape
    if len(shape) + 1 == len(declared) and (_free(declared[0]) or declared[0] == 1) and _agree(shape, declared[1:]):
        return (1, *shape)
    size = 1
    for dimension in declared:
        if _free(dimension):
            return None
        size *= int(dimension)
    given = 1
    for length in shape:
        given *= length
    return tuple(int(dimension) for dimension in declared) if size == given else None


def _free(dimension: Any) -> bool:
    return isinstance(dimension, str) or dimension < 0


def _agree(shape: Sequence[int], declared: Sequence[Any]) -> bool:
    return all(_free(wanted) or wanted == length for length, wanted in zip(shape, declared))  # noqa: B905 - Python 3.10


def shown(view: TensorView) -> "np.ndarray[Any, Any]":
    """Return an array on the memory of ``view``."""
    if not view.buffer.nbytes:
        return np.empty(view.shape, view.dtype)
    return np.frombuffer(view.buffer, view.dtype).reshape(view.shape)
