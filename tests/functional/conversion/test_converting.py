"""From a raw model to a kept one, the frameworks' own programs stood in for."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from vedette.conversion import ConversionFailed, Converter, DeclaredInput, ProofFailed, Wanted

WANTED = Wanted((DeclaredInput("data", (1, 3, 8, 8)),))


def silent(_: str) -> None:
    """Progress nobody reads."""


def test_the_original_is_not_compared_or_the_descriptors_name_is_lost(converter: Converter, raw: Path) -> None:
    converted = converter.convert(raw, WANTED, silent)
    session = onnxruntime.InferenceSession(str(converted.path), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["data"]
    # Two pictures at once: the batch dimension was freed, and proved.
    (y,) = session.run(None, {"data": np.ones((2, 3, 8, 8), np.float32)})
    assert y.shape == (2, 192)
    assert (y == 2).all()
    stored = json.loads(converted.record.read_text())
    assert stored["proof"]["samples"] == 8
    assert stored["proof"]["largestDifference"] < 1e-6
    assert stored["batch"] == "free"
    assert "largest difference" in converted.words()


def test_a_wrong_result_is_kept(converter: Converter, tools: Any, raw: Path, tmp_path: Path) -> None:
    tools.written_factor = 2.01
    with pytest.raises(ProofFailed, match="does not compute what the TorchScript does: output out differs by") as told:
        converter.convert(raw, WANTED, silent)
    # AND it is told where that begins: the reshaping before it is the same.
    assert "it begins at Mul `out` (0.0e+00 of the range before it" in str(told.value)
    assert not list((tmp_path / "cache" / "models").glob("*/model.onnx"))


def test_what_is_converted_already_is_converted_again(converter: Converter, tools: Any, raw: Path) -> None:
    first = converter.convert(raw, WANTED, silent)
    runs = len(tools.runs)
    # Touched only, or packed at another place: the same content.
    os.utime(raw, (1, 1))
    again = converter.convert(raw, WANTED, silent)
    assert (again.cached, len(tools.runs), again.path) == (True, runs, first.path)
    # A changed descriptor, another precision, other content: converted anew.
    for wanted in (Wanted((DeclaredInput("image", (1, 3, 8, 8)),)), Wanted(WANTED.inputs, "FP16")):
        assert not converter.convert(raw, wanted, silent).cached
    raw.write_bytes(b"other weights")
    assert not converter.convert(raw, WANTED, silent).cached


def test_fp16_is_measured_against_nothing(converter: Converter, raw: Path) -> None:
    precision = converter.convert(raw, Wanted(WANTED.inputs, "FP16"), silent).document["precision"]
    assert precision["mode"] == "FP16"
    assert precision["loss"] <= 1e-3
    assert precision["bytes"] < precision["bytesFP32"]


def test_a_result_that_was_cut_short_is_used(converter: Converter, raw: Path) -> None:
    converted = converter.convert(raw, WANTED, silent)
    converted.record.write_text('{"schema"')
    assert not converter.convert(raw, WANTED, silent).cached


def test_the_frameworks_reason_is_lost(converter: Converter, tools: Any, raw: Path) -> None:
    tools.error = ConversionFailed("operator torchvision::nms is not supported", "end the model before it")
    with pytest.raises(ConversionFailed) as raised:
        converter.convert(raw, WANTED, silent)
    assert (str(raised.value), raised.value.hint) == (str(tools.error), "end the model before it")
