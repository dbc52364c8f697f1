"""The real LiteRT on two small networks (tests/fixtures/models/make_tflite.py)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import engine_version, open_session
from vedette_model_inference.errors import LoadError
from vedette_model_inference.session import RunError

from vedette.conversion.measuring import measure

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert has no wheel for this Python")

MODELS = Path(__file__).parents[2] / "fixtures" / "models"
EXPECTED = [[-0.35313734, 0.10763325, 0.21623896, 0.36276183]]
"""What TensorFlow gave when the files were made."""


def session(name: str) -> Any:
    return open_session(MODELS / name, "tflite", Configuration(threads=1))


def picture(rows: int = 1) -> np.ndarray:
    return np.repeat(np.random.default_rng(5).random((1, 32, 32, 3), np.float32), rows, 0)


def test_a_float_model_gives_other_numbers_than_tensorflow() -> None:
    model = session("small.tflite")
    (spec,) = model.inputs
    assert (spec.dtype, spec.shape) == ("float32", (-1, 32, 32, 3))
    (output,) = model.run({spec.name: picture()})
    np.testing.assert_allclose(output, EXPECTED, atol=1e-5)
    # AND another batch, and the first again: the interpreter is laid out anew each time
    for rows in (3, 1):
        (output,) = model.run({spec.name: picture(rows)})
        np.testing.assert_allclose(output, EXPECTED * rows, atol=1e-5)


def test_an_int8_model_is_far_off() -> None:
    model = session("small_int8.tflite")
    (spec,), (result,) = model.inputs, model.outputs
    assert (spec.dtype, result.dtype) == ("uint8", "uint8")
    (output,) = model.run({spec.name: (picture() * 255).round().astype(np.uint8)})
    order = np.argsort(output[0])
    assert list(order) == list(np.argsort(EXPECTED[0]))


def test_what_litert_refuses_ends_the_server(tmp_path: Path) -> None:
    model = session("small.tflite")
    (spec,) = model.inputs
    with pytest.raises(RunError):
        model.run({spec.name: np.zeros((1, 7, 7, 3), np.float32)})
    # AND the next call is answered all the same
    np.testing.assert_allclose(model.run({spec.name: picture()})[0], EXPECTED, atol=1e-5)
    whole = (MODELS / "small.tflite").read_bytes()
    for name, content in {"cut": whole[:700], "none": b"no model", "empty": b""}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        with pytest.raises(LoadError, match=f"LiteRT does not take {name}.tflite"):
            open_session(path, "tflite", Configuration(threads=1))


def test_the_engine_has_no_version_or_bench_no_figures() -> None:
    assert engine_version("tflite").startswith("ai-edge-litert 2")
    assert measure(MODELS / "small.tflite", 1, 0.1).median_ms > 0
