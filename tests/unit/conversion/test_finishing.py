"""What is done to every ONNX file: names, free batch, FP16 weights."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def small_model(path: Path, *, reshape: list[int], weights: int = 12) -> Path:
    """x (1, 3, 2, 2) -> reshaped -> times a matrix; weights are listed among the inputs, as MXNet's exporter does."""
    matrix = np.random.default_rng(3).random((weights, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Reshape", ["x", "sizes"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["data"]),
        helper.make_node("Relu", ["data"], ["y"]),
    ]
    values = [
        helper.make_tensor_value_info("x", FLOAT, [1, 3, 2, 2]),
        helper.make_tensor_value_info("matrix", FLOAT, matrix.shape),
    ]
    output = helper.make_tensor_value_info("y", FLOAT, [1, 5])
    initial = [
        numpy_helper.from_array(np.array(reshape, np.int64), "sizes"),
        numpy_helper.from_array(matrix, "matrix"),
    ]
    graph = helper.make_graph(nodes, "g", values, [output], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def request(tools: Any, path: Path, tmp_path: Path, **options: Any) -> Any:
    document = {
        "framework": "onnx",
        "main": str(path),
        "inputs": options.pop("inputs", []),
        "output": str(tmp_path / "out.onnx"),
        "reference": "",
        "options": {"free_batch": str(tmp_path / "free.onnx"), **options},
    }
    return tools("toolkit").Request(document)


def run(path: Path, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {session.get_inputs()[0].name: values})[0]
    return result


def test_an_input_keeps_the_frameworks_name(tools: Any, tmp_path: Path) -> None:
    # GIVEN a model whose input is `x`, and a tensor inside that has the name which the application uses
    path = small_model(tmp_path / "m.onnx", reshape=[1, 12])
    program = tools("finish_onnx")
    inputs = [{"name": "data", "shape": [1, 3, 2, 2]}]
    # WHEN it is finished
    said = program.finish(request(tools, path, tmp_path, step="finish", rename={"x": "data"}, inputs=inputs))
    # THEN the input has the application's name, weights are no inputs any more, the values are the same
    assert [item["name"] for item in said["inputs"]] == ["data"]
    x = np.random.default_rng(1).random((1, 3, 2, 2)).astype(np.float32)
    np.testing.assert_allclose(run(tmp_path / "out.onnx", x), run(path, x), rtol=1e-6)


@pytest.mark.parametrize("reshape", [[1, 12], [1, -1], [-1, 12]])
def test_a_batch_does_not_get_through_a_reshape(tools: Any, tmp_path: Path, reshape: list[int]) -> None:
    path = small_model(tmp_path / "m.onnx", reshape=reshape)
    assert tools("finish_onnx").finish(request(tools, path, tmp_path, step="finish"))["free_batch"]
    x = np.random.default_rng(1).random((4, 3, 2, 2)).astype(np.float32)
    alone = np.concatenate([run(path, row[None]) for row in x])
    np.testing.assert_allclose(run(tmp_path / "free.onnx", x), alone, rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([{"name": "picture", "shape": [1, 3, 2, 2]}], "no input `picture`: it has `x`"),
        ([{"name": "x", "shape": [1, 3, 4, 4]}], r"the shape \[1, 3, 4, 4\], the model has \[1, 3, 2, 2\]"),
    ],
)
def test_a_descriptor_that_does_not_fit_passes(tools: Any, tmp_path: Path, inputs: Any, said: str) -> None:
    path = small_model(tmp_path / "m.onnx", reshape=[1, 12])
    with pytest.raises(tools("toolkit").Refused, match=said):
        tools("finish_onnx").finish(request(tools, path, tmp_path, step="finish", inputs=inputs))


def test_a_custom_operator_is_not_named(tools: Any, tmp_path: Path) -> None:
    node = helper.make_node("Secret", ["x"], ["y"], domain="evil")
    values = [helper.make_tensor_value_info(name, FLOAT, [1]) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]))
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(tools("toolkit").Refused, match="does not define: evil::Secret"):
        tools("finish_onnx").finish(request(tools, tmp_path / "m.onnx", tmp_path, step="finish"))


def test_fp16_weights_are_not_half_the_file_or_change_the_result(tools: Any, tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.onnx", reshape=[1, 12], weights=12)
    big = onnx.load(str(path))
    extra = np.random.default_rng(2).random((5, 5000)).astype(np.float32)
    big.graph.initializer.append(numpy_helper.from_array(extra, "wide"))
    big.graph.node[2].output[0] = "relu"
    big.graph.node.append(helper.make_node("MatMul", ["relu", "wide"], ["y"]))
    big.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5000
    onnx.save(big, str(path))
    tools("finish_onnx").halve(request(tools, path, tmp_path, step="fp16"))
    x = np.random.default_rng(1).random((1, 3, 2, 2)).astype(np.float32)
    np.testing.assert_allclose(run(tmp_path / "out.onnx", x), run(path, x), rtol=2e-3)
    assert (tmp_path / "out.onnx").stat().st_size < 0.55 * path.stat().st_size
