"""LiteRT's session on an interpreter that only remembers; the real one is an optional extra."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.errors import LoadError
from vedette_model_inference.session import RunError

from vedette.rings.calls import TensorSpec


class Interpreter:
    """Doubles its input; its batch dimension is free."""

    def __init__(self, model_path: str, num_threads: int) -> None:
        if "bad" in model_path:
            raise ValueError("The model is not a valid Flatbuffer buffer\nmore")
        self.threads = num_threads
        self.allocations = 0
        self.shape = [1, 2]

    def allocate_tensors(self) -> None:
        self.allocations += 1

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"name": "x", "index": 7, "dtype": np.float32, "shape": [1, 2], "shape_signature": [-1, 2]}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"name": "y", "index": 9, "dtype": np.float32, "shape": [1, 2]}]

    def resize_tensor_input(self, index: int, shape: tuple[int, ...], strict: bool) -> None:
        assert (index, strict) == (7, True)
        self.shape = list(shape)

    def set_tensor(self, index: int, array: np.ndarray) -> None:
        if list(array.shape) != self.shape:
            raise ValueError("Cannot set tensor: Dimension mismatch")
        self.value = array

    def invoke(self) -> None:
        if np.isnan(self.value).any():
            raise RuntimeError("Node number 3 failed to invoke")

    def get_tensor(self, index: int) -> np.ndarray:
        assert index == 9
        return self.value * 2


@pytest.fixture(autouse=True)
def litert(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("ai_edge_litert"), ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)


def session(name: str = "model.tflite") -> Any:
    return open_session(Path(name), "tflite", Configuration(threads=3))


def test_free_dimensions_are_told_as_free() -> None:
    assert session().inputs == (TensorSpec("x", "float32", (-1, 2)),)
    assert session().outputs == (TensorSpec("y", "float32", (1, 2)),)


def test_tensors_are_made_anew_only_when_the_shape_changes() -> None:
    made = session()
    for batch, allocations in ((1, 1), (4, 2), (4, 2), (1, 3)):
        (output,) = made.run({"x": np.ones((batch, 2), np.float32)})
        assert output.shape == (batch, 2)
        assert made._interpreter.allocations == allocations
    assert made._interpreter.threads == 3


def test_what_the_engine_refuses_is_told_in_one_line() -> None:
    with pytest.raises(RunError, match=r"^Node number 3 failed to invoke$"):
        session().run({"x": np.full((1, 2), np.nan, np.float32)})
    with pytest.raises(
        LoadError, match=r"LiteRT does not take bad.tflite: The model is not a valid Flatbuffer buffer$"
    ):
        session("bad.tflite")


def test_a_format_nobody_runs_is_named() -> None:
    with pytest.raises(LoadError, match="'exe' is unknown, expected onnx or tflite"):
        open_session(Path("m.exe"), "exe", Configuration())
