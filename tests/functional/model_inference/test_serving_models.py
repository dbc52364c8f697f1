"""Models served to applications: real files, real sockets, ONNX Runtime; the bus is in memory."""

import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.loading import Loader
from vedette_model_inference.session import RunError
from vedette_model_inference.verdicts import Verdicts

from vedette.bus.component import ComponentFailed
from vedette.messages import ModelDemand, ModelState, ModelStatus, Tensor
from vedette.rings import connect
from vedette.rings.calls import CallClient, CallError, CallLost, CallTimeout, TensorBuffer

sys.path.insert(0, str(SOURCE))

from panoramasdk._models import Model

Worlds = Callable[..., Any]
Call = Callable[..., list[np.ndarray]]


@pytest.fixture
def scaled(tmp_path: Path, onnx: Any) -> Path:
    path = tmp_path / "scaled.onnx"
    path.write_bytes(onnx.scaled())
    return path


def image(shape: tuple[int, ...] = (1, 3, 4, 5)) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_call_gives_the_models_outputs_in_its_order(world: Worlds, scaled: Path, call: Call) -> None:
    here = world()
    here.want(scaled)
    client = here.ready()
    assert [spec.name for spec in client.description.outputs] == ["y", "n"]
    y, n = call(client, x=image())
    assert np.array_equal(y, image() * 2)
    assert np.array_equal(n, -image())


@pytest.mark.parametrize(
    "sent",
    [image((3, 4, 5)), image().astype(np.float64), image().astype(np.uint8), image((60,)), image().astype(np.float16)],
    ids=["no batch", "float64", "uint8", "flat", "float16"],
)
def test_what_panorama_applications_send_is_taken(world: Worlds, scaled: Path, call: Call, sent: np.ndarray) -> None:
    here = world()
    here.want(scaled, inputs=[Tensor(name="data", shape=[1, 3, 4, 5])])
    y, _ = call(here.ready(), data=sent)
    assert y.dtype == np.float32
    assert y.shape == (1, 3, 4, 5)
    assert np.array_equal(y.ravel(), sent.astype(np.float32).ravel() * 2)


def test_batches_of_any_size_go_through_a_free_dimension(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(onnx.scaled(3.0, ("N", 3, "H", "W")))
    here = world()
    here.want(path, inputs=[Tensor(name="x", shape=[2, 3, 8, 8])])
    client = here.ready()
    for batch in (2, 0, 40, 1):  # 40 needs more room than the first run, both ways
        y, n = call(client, x=image((batch, 3, 16, 16)))
        assert np.array_equal(y, image((batch, 3, 16, 16)) * 3)
        assert n.shape == (batch, 3, 16, 16)


def test_the_status_tells_what_is_served(world: Worlds, scaled: Path, call: Call) -> None:
    here = world()
    here.want(scaled)
    client = here.ready()
    for _ in range(3):
        call(client, x=image())
    with pytest.raises(CallError):
        call(client, z=image())
    status = here.wait(ModelState.READY, such=lambda s: s.calls == 3)
    assert (status.name, status.provider, status.errors, status.queue) == ("scaled.onnx", "CPU", 1, 0)
    assert status.inputs == [Tensor(name="x", dtype="float32", shape=[1, 3, 4, 5])]
    assert [tensor.name for tensor in status.outputs] == ["y", "n"]
    assert status.latency_ms is not None
    assert status.load_s is not None
    assert status.users == ["lobby/model_node"]


def test_the_log_does_not_say_which_node_loads_or_fails(
    world: Worlds, scaled: Path, tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    # GIVEN a model of two applications' nodes, and one that cannot be loaded
    (tmp_path / "bad.onnx").write_bytes(b"")
    here = world()
    here.want(scaled, instance="lobby")
    here.want(tmp_path / "bad.onnx", model_id="m2", instance="gate")
    client = here.ready()
    here.wait(ModelState.FAILED, "m2")
    here.want(scaled, instance="yard")
    here.wait(ModelState.READY, such=lambda status: len(status.users) == 2)
    # WHEN one calls wrongly, again and again
    for _ in range(5):
        with pytest.raises(CallError):
            call(client, x=np.zeros(7, np.float32))
    # THEN load time, failure and the error stand there by the nodes' names, the error once
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if line.startswith("model lobby/model_node (scaled.onnx, m1): ready after ")]
    assert [line for line in lines if line.startswith("model gate/model_node (bad.onnx, m2): bad.onnx is not an ONNX")]
    assert "model scaled.onnx (m1): wanted by lobby/model_node, yard/model_node" in lines
    (refused,) = [line for line in lines if "was refused" in line]
    assert refused.startswith("a call of lobby/model_node (scaled.onnx, m1) was refused: input 'x' has the shape 7, ")


def test_another_way_of_frames_loads_the_model_again(tmp_path: Path, onnx: Any) -> None:
    # GIVEN one file under two ids, as two packages have it whose preprocess.json differ
    path, opened = tmp_path / "m.onnx", []
    path.write_bytes(onnx.scaled())

    def opening(*given: Any) -> Any:
        opened.append(given)
        return open_session(*given)

    configuration = Configuration(threads=1, verify=False)
    loader = Loader(configuration, Verdicts(tmp_path / "v.json"), threading.Event(), open_session=opening)
    demands = [ModelDemand(model_id=name, path=str(path), instance="i", node="n") for name in ("m1", "m2")]
    # WHEN both are loaded THEN the engine has it once
    one, other = (loader.load(demand, [path], threading.Event()) for demand in demands)
    assert len(opened) == 1
    # AND ending the first one's calls leaves the second alone
    one.session.interrupt()
    given = {"x": np.ones((1, 3, 4, 5), np.float32)}
    with pytest.raises(RunError):
        one.session.run(given)
    assert (other.session.run(given)[0] == 2).all()
    # AND a model that nobody has any more is loaded anew
    del one, other
    loader.load(demands[0], [path], threading.Event())
    assert len(opened) == 2


def test_two_applications_share_one_session(world: Worlds, scaled: Path, call: Call) -> None:
    here = world()
    here.want(scaled, instance="lobby")
    here.want(scaled, instance="yard")
    status = here.wait(ModelState.READY, such=lambda s: len(s.users) == 2)
    first, second = here.client(status.socket), here.client(status.socket)
    assert np.array_equal(call(first, x=image())[0], call(second, x=image())[0])
    here.want_no_more(instance="lobby")
    here.wait(ModelState.READY, such=lambda s: s.users == ["yard/model_node"])
    assert call(second, x=image())
    assert [thread.name for thread in threading.enumerate()].count("model-m1") == 1


def test_many_threads_of_many_clients_get_their_own_outputs(world: Worlds, scaled: Path, call: Call) -> None:
    here = world()
    here.want(scaled)
    socket = here.wait(ModelState.READY).socket
    clients = [here.client(socket) for _ in range(3)]

    def work(number: int) -> bool:
        sent = np.full((1, 3, 4, 5), number, np.float32)
        y, n = call(clients[number % 3], x=sent)
        return bool((y == 2 * number).all() and (n == -number).all())

    with ThreadPoolExecutor(9) as pool:
        assert all(pool.map(work, range(300)))


def test_a_model_is_unloaded_when_nobody_wants_it_and_loaded_again(world: Worlds, scaled: Path, call: Call) -> None:
    here = world(unloadAfterS=0)
    here.want(scaled)
    client = here.ready()
    here.want_no_more()
    with pytest.raises(CallLost):
        while True:
            call(client, x=image())
    here.want(scaled)
    assert call(here.ready(), x=image())


@pytest.mark.parametrize(
    ("inputs", "code", "message"),
    [
        ({"z": image()}, "unknown_input", "input 'z' is unknown: the model takes 'x'"),
        ({}, "missing_input", "input 'x' is missing"),
        ({"x": image((2, 3, 4, 5))}, "wrong_shape", "has the shape 2x3x4x5, the model takes 1x3x4x5"),
    ],
)
def test_wrong_inputs_are_explained_and_harm_nobody(
    world: Worlds, scaled: Path, call: Call, inputs: dict[str, np.ndarray], code: str, message: str
) -> None:
    here = world()
    here.want(scaled)
    client = here.ready()
    with pytest.raises(CallError, match=message) as caught:
        call(client, **inputs)
    assert caught.value.code == code
    assert call(client, x=image())


def test_a_run_that_the_engine_refuses_costs_one_call(world: Worlds, tmp_path: Path, onnx: Any, call: Call) -> None:
    path = tmp_path / "gather.onnx"
    path.write_bytes(onnx.gather())
    here = world()
    here.want(path)
    client = here.ready()
    table = np.array([10, 20, 30], np.float32)
    with pytest.raises(CallError, match=r"the model run failed: .*indices") as caught:
        call(client, table=table, indices=np.array([7]))
    assert caught.value.code == "run_failed"
    assert call(client, table=table, indices=np.array([2, 0]))[0].tolist() == [30, 10]


def test_a_first_run_that_fails_on_zeros_is_told_and_calls_go_on(
    world: Worlds, tmp_path: Path, onnx: Any, call: Call
) -> None:
    """An empty table of one dimension has no row 0."""
    path = tmp_path / "gather.onnx"
    path.write_bytes(onnx.gather())
    here = world()
    here.want(path, inputs=[Tensor(name="table", shape=[0]), Tensor(name="indices", shape=[1])])
    status = here.wait(ModelState.READY)
    assert "first run, on zeros, failed" in status.detail
    client = here.client(status.socket)
    assert call(client, table=np.ones(1, np.float32), indices=np.array([0]))[0].tolist() == [1]


def test_stopping_ends_a_run_in_time(world: Worlds, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "slow.onnx"
    path.write_bytes(onnx.slow())
    here = world()
    here.want(path)
    client = here.ready()
    rows = np.ones((1024, 1024), np.float32)
    with pytest.raises(CallTimeout):
        client.call([TensorBuffer("x0", "float32", rows.shape, rows)], 0.3)
    stopper = threading.Event()
    ended: list[Any] = []

    def end() -> None:
        ended.append(here.end())
        stopper.set()

    threading.Thread(target=end).start()
    assert stopper.wait(2.5)
    assert ended == [None]
    assert list((here.work / "sockets").iterdir()) == []
    assert not any(thread.name == "model-m1" for thread in threading.enumerate())


def test_another_configuration_takes_effect_and_models_come_back(world: Worlds, scaled: Path, call: Call) -> None:
    here = world(slots=1)
    here.want(scaled)
    assert call(here.ready(), x=image())
    here.bus.set_configuration({"threads": "one"})  # is left as it was
    here.bus.set_configuration({"threads": 1, "verify": False, "slots": 2})
    here.wait(ModelState.LOADING)
    assert call(here.ready(), x=image())


def test_a_wrong_configuration_ends_the_start_with_its_reason(world: Worlds) -> None:
    here = world(threads=-3)
    error = here.end()
    assert isinstance(error, ComponentFailed)
    assert "threads: Input should be greater than or equal to 0" in str(error)


def test_sockets_left_by_a_process_that_was_killed_are_removed(world: Worlds, tmp_path: Path) -> None:
    from vedette_model_inference.main import prepare_sockets

    (tmp_path / "sockets").mkdir(mode=0o755)
    (tmp_path / "sockets" / "old.sock").touch()
    sockets = prepare_sockets(tmp_path)
    assert list(sockets.iterdir()) == []
    assert sockets.stat().st_mode & 0o777 == 0o700
    (tmp_path / "blocked").touch()
    with pytest.raises(ComponentFailed, match="cannot use the folder"):
        prepare_sockets(tmp_path / "blocked")


def test_a_killed_server_is_noticed_and_its_successor_serves(
    server_process: Callable[[Path], Any], tmp_path: Path, onnx: Any, call: Call
) -> None:
    path = tmp_path / "slow.onnx"
    path.write_bytes(onnx.slow())

    def ready(process: Any) -> CallClient:
        for line in process.stdout:
            status = ModelStatus.model_validate_json(line)
            if status.state is ModelState.READY and status.socket:
                return CallClient(connect(status.socket))
        raise AssertionError("the server ended")

    first = server_process(path)
    client = ready(first)
    assert call(client, x0=np.ones((1, 1024), np.float32), timeout_s=30.0)
    with ThreadPoolExecutor(1) as pool:
        rows = np.ones((1024, 1024), np.float32)
        running = pool.submit(call, client, 60.0, x0=rows)
        assert not wait([running], 0.3).done
        first.kill()
        with pytest.raises(CallLost, match="model server is gone"):
            running.result(10.0)
    client.close()
    second = ready(server_process(path))
    assert call(second, x0=np.ones((1, 1024), np.float32))
    second.close()


def test_a_call_gives_garbage_or_hangs_when_its_server_is_killed(
    server_process: Callable[[Path], Any], tmp_path: Path, onnx: Any
) -> None:
    """``node.call`` as applications make it, while ``kill -9`` ends the model server in the middle."""
    path = tmp_path / "slow.onnx"
    path.write_bytes(onnx.slow(100))

    def ready(process: Any) -> socket.socket:
        for line in process.stdout:
            status = ModelStatus.model_validate_json(line)
            if status.state is ModelState.READY and status.socket:
                return connect(status.socket)
        raise AssertionError("the server ended")

    lost = threading.Event()
    model = Model("m", lost.set)
    rows = np.random.default_rng(4).random((1024, 1024)).astype(np.float32)
    first = server_process(path)
    model.offer(ready(first))
    model.call(rows[:1], 30.0)
    with ThreadPoolExecutor(2) as pool:
        # GIVEN two calls under way, one with a time-out
        answered = pool.submit(model.call, rows, 50.0)
        ended = pool.submit(model.call, rows, 1.0)
        assert not wait([answered], 0.2).done
        # WHEN the server is killed, and for a while there is none
        first.kill()
        assert lost.wait(20.0)
        with pytest.raises(TimeoutError):
            ended.result(30.0)
        # THEN the other gets its answer from the next server
        model.offer(ready(server_process(path)))
        (got,) = answered.result(50.0)
    np.testing.assert_allclose(got, rows)
    model.close()
