"""LiteRT (TensorFlow Lite), where the optional extra is installed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from vedette.rings.calls import TensorSpec
from vedette.rings.calls.tensors import ITEM_BYTES
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError, first_line
from vedette_model_inference.session import Array, RunError


class LiteRtSession:
    """A model in LiteRT.

    :raises LoadError: when LiteRT is not installed or does not take the file.
    """

    provider = "CPU"
    concurrent = False

    def __init__(self, path: Path, configuration: Configuration) -> None:
        try:
            interpreter: Any = import_module("ai_edge_litert.interpreter")
        except ImportError as error:
            raise LoadError(
                f"{path.name} needs LiteRT, which is not installed: install vedette[tflite] (ai-edge-litert), or "
                "convert the model to ONNX"
            ) from error
        try:
            self._interpreter = interpreter.Interpreter(model_path=str(path), num_threads=configuration.thread_count())
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            raise LoadError(f"LiteRT does not take {path.name}: {first_line(error)}") from error
        self._inputs = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        self._outputs = list(self._interpreter.get_output_details())
        self.inputs = tuple(_spec(path, detail) for detail in self._inputs.values())
        self.outputs = tuple(_spec(path, detail) for detail in self._outputs)
        self._shapes = {name: tuple(detail["shape"]) for name, detail in self._inputs.items()}

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """See :class:`Session`."""
        try:
            self._resize(inputs)
            for name, array in inputs.items():
                self._interpreter.set_tensor(self._inputs[name]["index"], array)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise RunError(first_line(error)) from error

    def bind(self, inputs: Mapping[str, Array], outputs: Sequence[Array]) -> None:
        """See :class:`Session`; LiteRT has its tensors in memory of its own."""

    def interrupt(self) -> None:
        """See :class:`Session`; LiteRT has no way to end a run, which the process's end does."""

    def share(self) -> None:
        """See :class:`Session`; an interpreter holds one user's tensors."""

    def _resize(self, inputs: Mapping[str, Array]) -> None:
        changed = [name for name, array in inputs.items() if array.shape != self._shapes[name]]
        for name in changed:
            self._interpreter.resize_tensor_input(self._inputs[name]["index"], inputs[name].shape, strict=True)
            self._shapes[name] = inputs[name].shape
        if changed:
            self._interpreter.allocate_tensors()


def _spec(path: Path, detail: Mapping[str, Any]) -> TensorSpec:
    dtype = np.dtype(detail["dtype"]).name
    if dtype not in ITEM_BYTES:
        raise LoadError(f"{path.name} has {detail['name']!r} of type {dtype}: only tensors of numbers can be passed")
    signature = detail.get("shape_signature")
    shape = detail["shape"] if signature is None or len(signature) != len(detail["shape"]) else signature
    return TensorSpec(detail["name"], dtype, tuple(int(dimension) for dimension in shape))
