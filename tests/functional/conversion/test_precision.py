"""int8 and measuring, on a small network and frames of the street scene."""

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vedette.cli.failure import Failure
from vedette.cli.model_bench import BenchOptions, bench_models
from vedette.cli.terminal import Terminal
from vedette.conversion import ConversionFailed
from vedette.conversion.environments import Progress
from vedette.conversion.parting import parting_words
from vedette.conversion.quantising import quantise
from vedette.conversion.tool import run_tool
from vedette.conversion.toolchains import Toolchain
from vedette.pictures import read_frame_document

STREET = Path(__file__).parents[3] / "examples" / "media" / "street.mp4"


def in_our_python(toolchain: Toolchain, request: Mapping[str, Any], work: Path, progress: Progress) -> dict[str, Any]:
    return run_tool(Path(sys.executable), toolchain, request, work, progress)


@pytest.fixture
def convolution(tmp_path: Path) -> Path:
    """A convolution and its rectifier on 64x64."""
    kernel = np.random.default_rng(2).normal(0, 0.2, (8, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 64, 64])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "conv.onnx"))
    return tmp_path / "conv.onnx"


def test_int8_is_not_calibrated_or_its_loss_is_not_measured(convolution: Path, tmp_path: Path) -> None:
    target = tmp_path / "int8.onnx"
    frames = read_frame_document('{"preprocess": {"scale": 0.00392156862745098}}')
    loss = quantise(convolution, STREET, frames, target, lambda _: None, in_our_python)
    assert 0 < loss.mean < 0.01
    assert loss.frames > 20
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load(str(target)).graph.node)


def test_an_int8_model_that_is_worse_does_not_say_where(tmp_path: Path) -> None:
    # GIVEN two layers, and the same with the second one's result in steps of a quarter of its range
    def network(name: str, *, coarse: bool) -> Path:
        last = "y_float" if coarse else "y"
        nodes = [
            helper.make_node("Relu", ["data"], ["r"], "first"),
            helper.make_node("Mul", ["r", "three"], [last], "second"),
        ]
        weights = [numpy_helper.from_array(np.full(1, 3, np.float32), "three")]
        if coarse:
            nodes.append(helper.make_node("QuantizeLinear", ["y_float", "scale", "zero"], ["q"]))
            nodes.append(helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]))
            weights.append(numpy_helper.from_array(np.array(0.75, np.float32), "scale"))
            weights.append(numpy_helper.from_array(np.array(0, np.uint8), "zero"))
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 64]) for end in ("data", "y")]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, str(tmp_path / name))
        return tmp_path / name

    np.savez(tmp_path / "in.npz", **{"in/0/data": np.linspace(0, 1, 64, dtype=np.float32)[None]})  # type: ignore[arg-type]
    sources = {"original": str(network("float.onnx", coarse=False)), "sample": str(tmp_path / "in.npz")}
    # WHEN it is asked where they part THEN the layer is named, not what was put behind it
    said = parting_words(in_our_python, network("int8.onnx", coarse=True), tmp_path, sources, limit=0.05, mean=True)
    assert said.startswith("; it begins at Mul `second` (0.0e+00 of the range before it, 6.")
    # AND nothing is made up where they do not
    same = Path(sources["original"])
    assert parting_words(in_our_python, same, tmp_path, sources, limit=0.05, mean=True) == ""


def test_a_video_that_is_none_gives_a_traceback(convolution: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(ConversionFailed, match="cannot be read as a video"):
        quantise(convolution, tmp_path / "film.mp4", None, tmp_path / "x.onnx", lambda _: None, in_our_python)


def test_bench_measures_nothing(convolution: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = BenchOptions((convolution,), "1", None, None, "cpu", 0.2, as_json=True)
    assert bench_models(options, Terminal(io.StringIO(), {})) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["median_ms"] > 0
    assert row["threads"] == 1
    assert row["memory_mb"] > 10
    with pytest.raises(Failure, match="--threads takes numbers"):
        bench_models(BenchOptions((convolution,), "x", None, None, "cpu", 0.2, as_json=False), Terminal())
