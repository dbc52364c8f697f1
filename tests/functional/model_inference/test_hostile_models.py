"""Model files that are broken, hostile or not there: a reason in the status, and a component that goes on."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError, LoadStopped
from vedette_model_inference.loading import Loader
from vedette_model_inference.model_file import find
from vedette_model_inference.onnx_file import external_files
from vedette_model_inference.verdicts import Verdicts
from vedette_model_inference.verification import ENVIRONMENT, verify

from vedette.messages import ModelDemand, ModelState

Worlds = Callable[..., Any]
Call = Callable[..., list[np.ndarray]]
WEIGHTS = np.ones((1,), np.float32)


def with_external(onnx: Any, location: str) -> bytes:
    nodes = [onnx.node("Mul", ["x", "w"], ["y"])]
    value = ("x", "float32", (4,))
    encoded: bytes = onnx.model(nodes, [value], [("y", "float32", (4,))], [onnx.tensor("w", WEIGHTS, location)])
    return encoded


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"not a model at all, but some text", "is not an ONNX model"),
        (b"\x00" * 100, "is not an ONNX model"),
        (b"PK\x03\x04 a zip file", "is not an ONNX model"),
        (b"\x08\x08", "it has 0 graphs, expected 1"),
    ],
)
def test_a_file_that_is_no_model_fails_with_its_reason(
    world: Worlds, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    here = world()
    here.want(path)
    status = here.wait(ModelState.FAILED)
    assert reason in status.detail
    assert status.socket is None


def test_a_corrupt_model_is_served_once_it_is_replaced(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled()[:-60])
    other = tmp_path / "other.onnx"
    other.write_bytes(onnx.scaled(5.0))
    here = world()
    here.want(path)
    here.want(other, "m2")
    assert "model.onnx" in here.wait(ModelState.FAILED).detail
    path.write_bytes(onnx.scaled(7.0))
    image = np.ones((1, 3, 4, 5), np.float32)
    assert call(here.ready(), x=image)[0][0, 0, 0, 0] == 7
    assert call(here.ready("m2"), x=image)[0][0, 0, 0, 0] == 5


def test_a_missing_file_is_served_once_it_is_there(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "current" / "model.onnx"
    here = world()
    here.want(path)
    assert "does not exist: is the component of the model deployed?" in here.wait(ModelState.FAILED).detail
    path.parent.mkdir()
    path.write_bytes(onnx.scaled())
    assert call(here.ready(), x=np.ones((1, 3, 4, 5), np.float32))


def test_a_file_of_another_path_serves_where_the_first_is_missing(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    here = world()
    here.want(tmp_path / "gone.onnx", instance="lobby")
    here.wait(ModelState.FAILED)
    here.want(path, instance="yard")
    here.wait(ModelState.READY)


def test_a_folder_and_a_file_one_may_not_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LoadError, match="is a folder, expected a model file"):
        find([tmp_path])
    path = tmp_path / "model.onnx"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(LoadError, match="may not be read by this user: check its permissions"):
        find([path])


def test_an_operator_nobody_knows_is_named(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    value = ("x", "float32", (4,))
    path.write_bytes(onnx.model([onnx.node("Frobnicate", ["x"], ["y"])], [value], [("y", "float32", (4,))]))
    here = world()
    here.want(path)
    detail = here.wait(ModelState.FAILED).detail
    assert "Frobnicate" in detail
    assert str(tmp_path) not in detail


def test_inputs_that_cannot_be_passed_are_named(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(
        onnx.model([onnx.node("Identity", ["t"], ["u"])], [("t", "string", (1,))], [("u", "string", (1,))])
    )
    here = world()
    here.want(path)
    assert "'t' of type tensor(string): only tensors of numbers" in here.wait(ModelState.FAILED).detail


def test_weights_beside_the_model_are_used(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_external(onnx, "weights.bin"))
    here = world()
    here.want(path)
    assert "has its weights in 'weights.bin', which is missing beside it" in here.wait(ModelState.FAILED).detail
    (tmp_path / "weights.bin").write_bytes((WEIGHTS * 9).tobytes())
    assert call(here.ready(), x=np.ones(4, np.float32))[0].tolist() == [9, 9, 9, 9]


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "inner/../../secret.bin", "link.bin"])
def test_weights_outside_of_the_models_folder_are_refused(tmp_path: Path, onnx: Any, location: str) -> None:
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(b"1234")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = folder / "model.onnx"
    path.write_bytes(with_external(onnx, location))
    with pytest.raises(LoadError, match="outside of its own folder: such files are refused"):
        external_files(path)


def test_weights_hidden_in_the_branch_of_a_condition_are_found(tmp_path: Path, onnx: Any) -> None:
    constant = onnx.node("Constant", [], ["c"], onnx.attribute("value", 5, onnx.tensor("v", WEIGHTS, "../v.bin"), 4))
    branch = onnx.field(1, constant) + onnx.field(2, "then")
    condition = onnx.node("If", ["x"], ["y"], onnx.attribute("then_branch", 6, branch, 5))
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.model([condition], [("x", "float32", (1,))], [("y", "float32", (1,))]))
    with pytest.raises(LoadError, match="outside of its own folder"):
        external_files(path)


def test_a_file_that_only_costs_time_is_read_to_its_end(tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    # 10 MB of the shortest fields: read to the end they were half a minute of the server's time a 100 MB.
    path.write_bytes(onnx.field(1, 8) * 5_000_000)
    with pytest.raises(LoadError, match="has over 4000000 fields"):
        external_files(path)
    with path.open("r+b") as stream:
        stream.truncate((2 << 30) + 1)
    with pytest.raises(LoadError, match="is over 2 GiB"):
        external_files(path)


def test_what_a_gpus_compiler_made_is_loaded(tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    value = ("x", "float32", (4,))
    path.write_bytes(onnx.model([onnx.node("EPContext", ["x"], ["y"])], [value], [("y", "float32", (4,))]))
    with pytest.raises(LoadError, match="holds code for one kind of GPU"):
        external_files(path)


def test_a_bomb_of_nested_graphs_is_refused(tmp_path: Path, onnx: Any) -> None:
    graph = onnx.field(2, "innermost")
    for _ in range(200):
        graph = onnx.field(1, onnx.field(5, onnx.field(6, graph)))
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.field(7, graph))
    with pytest.raises(LoadError, match="nested over 64 deep"):
        external_files(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_break_the_reader(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.onnx"
    path.write_bytes(data.draw(st.binary(max_size=300)))
    try:
        found = external_files(path)
    except LoadError:
        return
    assert found == ()


def test_a_tflite_file_says_which_extra_it_needs(
    world: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    here = world()
    here.want(path, model_format="tflite")
    assert "install vedette[tflite]" in here.wait(ModelState.FAILED).detail


def test_a_provider_this_engine_lacks_is_named(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    here = world(providers=["NoSuchExecutionProvider"])
    here.want(path)
    assert "has no NoSuchExecutionProvider, only" in here.wait(ModelState.FAILED).detail


def test_a_good_model_is_verified_in_its_own_process_once(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    here = world(verify=True, unloadAfterS=0)
    here.want(path)
    first = here.wait(ModelState.READY)
    assert call(here.client(first.socket), x=np.ones((1, 3, 4, 5), np.float32))
    assert '"verified": true' in (here.work / "verdicts.json").read_text()
    here.want_no_more()
    here.want(path, "m2")
    second = here.wait(ModelState.READY, "m2")
    assert first.load_s is not None
    assert second.load_s is not None
    assert second.load_s < first.load_s


def test_a_bad_model_is_refused_by_its_verification(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    value = ("x", "float32", (4,))
    path.write_bytes(onnx.model([onnx.node("Frobnicate", ["x"], ["y"])], [value], [("y", "float32", (4,))]))
    here = world(verify=True)
    here.want(path)
    assert "ONNX Runtime does not take model.onnx" in here.wait(ModelState.FAILED).detail


def child(source: str) -> list[str]:
    return [sys.executable, "-c", source]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed the engine \(SIGSEGV\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "too little memory"),
        ("import sys; print('a reason'); sys.exit(2)", "a reason"),
        ("import sys; sys.exit(9)", "could not be verified: exit code 9"),
    ],
)
def test_a_file_that_crashes_the_engine_crashes_only_its_verification(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        verify(tmp_path / "m.onnx", "onnx", [], Configuration(), threading.Event(), child(source))


def test_a_tensor_of_terabytes_takes_the_component_down(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    # GIVEN a file of 300 bytes that makes a tensor of 4 TB when it runs; its size comes from the input, so that nothing
    # can tell before
    nodes = [
        onnx.node("Shape", ["x"], ["shape"]),
        onnx.node("Mul", ["shape", "million"], ["huge"]),
        onnx.node("ConstantOfShape", ["huge"], ["filled"]),
        onnx.node("ReduceMean", ["filled"], ["mean"]),
        onnx.node("Add", ["x", "mean"], ["y"]),
    ]
    million = onnx.tensor("million", np.array([1_000_000, 1_000_000], np.int64))
    path = tmp_path / "bomb.onnx"
    values = [("x", "float32", (1, 1))], [("y", "float32", (1, 1))]
    path.write_bytes(onnx.model(nodes, *values, [million]))
    # WHEN it is wanted beside a good one
    each = world(verify=True)
    good = tmp_path / "good.onnx"
    good.write_bytes(onnx.scaled())
    each.want(path)
    each.want(good, "m2")
    # THEN it fails with the reason, and the other is served
    assert "more memory than this device has" in each.wait(ModelState.FAILED).detail
    each.wait(ModelState.READY, "m2")


def test_a_file_that_hangs_the_engine_is_given_up(tmp_path: Path) -> None:
    hang = child("import threading; threading.Event().wait()")
    with pytest.raises(LoadError, match="did not load and run within 0 s, see `verifyTimeoutS`"):
        verify(tmp_path / "m.onnx", "onnx", [], Configuration(verify_timeout_s=0.2), threading.Event(), hang)
    stop = threading.Event()
    stop.set()
    with pytest.raises(LoadStopped):
        verify(tmp_path / "m.onnx", "onnx", [], Configuration(), stop, hang)


def test_the_verification_knows_no_token_of_the_nucleus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVCUID", "token")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token")
    tell = child("import os, sys; print(sorted(os.environ)); sys.exit(2)")
    with pytest.raises(LoadError) as caught:
        verify(tmp_path / "m.onnx", "onnx", [], Configuration(), threading.Event(), tell)
    told = set(str(caught.value).strip("[]").replace("'", "").split(", "))
    assert told - {"LC_CTYPE"} <= set(ENVIRONMENT)


def loader(tmp_path: Path, **parts: Any) -> Loader:
    return Loader(
        Configuration(), Verdicts(tmp_path / "verdicts.json"), threading.Event(), verify=lambda *_: None, **parts
    )


def test_a_file_that_changes_during_its_load_is_loaded_again(tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())

    def open_session(*_: Any) -> Any:
        path.write_bytes(onnx.scaled(3.0) + b"")
        return None

    demand = ModelDemand(model_id="m", path=str(path), instance="i", node="n")
    with pytest.raises(LoadError, match=r"model\.onnx changed while it was loaded") as caught:
        loader(tmp_path, open_session=open_session).load(demand, [path], threading.Event())
    assert caught.value.retry_after_s == 1.0


def test_a_file_that_ended_the_process_twice_is_refused(tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    demand = ModelDemand(model_id="m", path=str(path), instance="i", node="n")
    code = (
        "import os, sys, threading; from pathlib import Path\n"
        "from vedette_model_inference.configuration import Configuration\n"
        "from vedette_model_inference.loading import Loader\n"
        "from vedette_model_inference.verdicts import Verdicts\n"
        "from vedette.messages import ModelDemand\n"
        "demand = ModelDemand.model_validate_json(sys.argv[1])\n"
        "loader = Loader(Configuration(), Verdicts(Path(sys.argv[2])), threading.Event(),\n"
        "    verify=lambda *_: None, open_session=lambda *_: os.abort())\n"
        "loader.load(demand, [Path(demand.path)], threading.Event())\n"
    )
    import subprocess

    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", code, demand.encode().decode(), str(tmp_path / "verdicts.json")],
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert ended.returncode == -6
    with pytest.raises(LoadError, match="ended the process 2 times within an hour: replace the file"):
        loader(tmp_path).load(demand, [path], threading.Event())
