"""Runs that read and write an application's slot: what they give is what the usual run gives."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.handler import ModelHandler
from vedette_model_inference.session import RunError

from vedette.rings import connect

sys.path.insert(0, str(SOURCE))

from panoramasdk._models import Model


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each bind of a handler of this process gave a run."""
    seen: list[bool] = []
    bind = ModelHandler.bind

    def watched(self: ModelHandler, *arguments: Any) -> Callable[[], None] | None:
        run = bind(self, *arguments)
        seen.append(run is not None)
        return run

    monkeypatch.setattr(ModelHandler, "bind", watched)
    return seen


def served(world: Any, tmp_path: Path, content: bytes) -> Model:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    each = world()
    each.want(path)
    each.ready()
    model = Model("m", lambda: None)
    model.offer(connect(str(each.work / "sockets" / "m1.sock")))
    return model


def test_a_call_gives_the_values_of_another(world: Any, tmp_path: Path, onnx: Any, bound: list[bool]) -> None:
    model = served(world, tmp_path, onnx.scaled(3.0))
    results = []
    for number in range(6):
        given = np.full((1, 3, 4, 5), number, np.float32)
        results.append(model.call({"x": given}, 20.0))
        given[:] = 99
    # Kept by the application over later calls, changed in place by it.
    results[1][0][:] = -7
    for number in (0, 2, 3, 4, 5):
        assert [set(each.ravel().tolist()) for each in results[number]] == [{number * 3.0}, {-float(number)}]
    # Float64, no batch dimension, not contiguous: cast and laid out by the application's side.
    others: list[Any] = [np.full((3, 4, 5), 2.0), np.full((1, 5, 4, 3), 2, np.uint8).transpose(0, 3, 2, 1)]
    for other in others:
        for _ in range(3):
            assert (model.call(other, 20.0)[0] == 6.0).all()
    assert bound
    assert all(bound)
    model.close()


def test_outputs_whose_shape_depends_on_values(world: Any, tmp_path: Path, onnx: Any, bound: list[bool]) -> None:
    nodes = [onnx.node("NonZero", ["x"], ["where"])]
    model = served(world, tmp_path, onnx.model(nodes, [("x", "float32", [8])], [("where", "int64", [1, "n"])]))
    for count in (3, 3, 5, 5, 0, 8, 8, 1, 3):
        given = np.zeros(8, np.float32)
        given[:count] = 1
        [where] = model.call(given, 20.0)
        assert where.tolist() == [list(range(count))]
    model.close()


def test_an_output_that_is_an_input_unchanged(world: Any, tmp_path: Path, onnx: Any, bound: list[bool]) -> None:
    shape = [2, 3]
    nodes = [onnx.node("Identity", ["x"], ["same"]), onnx.node("Neg", ["same"], ["negative"])]
    outputs = [("same", "float32", shape), ("negative", "float32", shape)]
    model = served(world, tmp_path, onnx.model(nodes, [("x", "float32", shape)], outputs))
    for number in range(5):
        given = np.full(shape, number, np.float32)
        same, negative = model.call(given, 20.0)
        assert np.array_equal(same, given)
        assert np.array_equal(negative, -given)
    model.close()


def test_indices_are_read_where_the_application_may_change_them(
    world: Any, tmp_path: Path, onnx: Any, bound: list[bool]
) -> None:
    model = served(world, tmp_path, onnx.gather())
    for _ in range(3):
        given = {"table": np.arange(5, dtype=np.float32), "indices": np.array([4, 0], np.int64)}
        assert model.call(given, 20.0)[0].tolist() == [4.0, 0.0]
    assert bound
    assert not any(bound)
    with pytest.raises(RuntimeError, match="out of data bounds"):
        model.call({"table": np.arange(5, dtype=np.float32), "indices": np.array([5], np.int64)}, 20.0)
    model.close()


def test_shapes_that_change_from_call_to_call(world: Any, tmp_path: Path, onnx: Any, bound: list[bool]) -> None:
    model = served(world, tmp_path, onnx.scaled(2.0, ("n", 3)))
    for number in range(60):
        rows = 1 + number % 25
        given = np.full((rows, 3), number, np.float32)
        assert np.array_equal(model.call(given, 20.0)[0], given * 2)
    model.close()


def test_a_bound_run_cannot_be_interrupted(tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(2.0))
    session = open_session(path, "onnx", Configuration(threads=1))
    given, outputs = np.ones((1, 3, 4, 5), np.float32), [np.zeros((1, 3, 4, 5), np.float32) for _ in range(2)]
    run = session.bind({"x": given}, outputs)
    assert run is not None
    run()
    assert (outputs[0] == 2).all()
    wrong = session.bind({"x": given}, [np.zeros((1, 3, 4, 4), np.float32), outputs[1]])
    assert wrong is not None
    with pytest.raises(RunError):
        wrong()
    session.interrupt()
    with pytest.raises(RunError):
        run()
