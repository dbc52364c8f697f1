"""Calls of several applications answered by one run, where the model can do that."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_model_inference.batching import best_batch, can_batch
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.onnx_session import OnnxSession
from vedette_model_inference.run_gate import RunGate

from vedette.messages import ModelState
from vedette.rings.calls import CallError

Call = Callable[..., list[np.ndarray]]
BATCH: tuple[int | str, ...] = ("batch", 3, 4, 5)


def session(path: Path, content: bytes) -> OnnxSession:
    path.write_bytes(content)
    return OnnxSession(path, Configuration(threads=1))


def mixing(onnx: Any) -> bytes:
    """y = x less the mean of the whole batch: the first dimension is free, but no batch."""
    nodes = [onnx.node("ReduceMean", ["x"], ["mean"]), onnx.node("Sub", ["x", "mean"], ["y"])]
    return bytes(onnx.model(nodes, [("x", "float32", BATCH)], [("y", "float32", BATCH)]))


def test_what_cannot_be_batched_is(tmp_path: Path, onnx: Any) -> None:
    assert can_batch(session(tmp_path / "free.onnx", onnx.scaled(2.0, BATCH)), [])
    assert not can_batch(session(tmp_path / "fixed.onnx", onnx.scaled(2.0, (1, 3, 4, 5))), [])
    assert not can_batch(session(tmp_path / "mixing.onnx", mixing(onnx)), [])
    # Rows are free here, but a table of rows is no batch of inputs of one size.
    assert not can_batch(session(tmp_path / "gather.onnx", onnx.gather()), [])


def test_a_batch_that_gains_nothing_is_waited_for(tmp_path: Path, onnx: Any) -> None:
    model = session(tmp_path / "free.onnx", onnx.scaled(2.0, BATCH))

    def ticking(per_run: float, per_picture: float) -> Callable[[], float]:
        """Return a clock by which a run takes that long; it is read before and after each."""
        state = {"now": 0.0, "size": 1}
        run = model.run

        def timed(inputs: Any) -> Any:
            state["now"] += per_run + per_picture * len(inputs["x"])
            return run(inputs)

        model.run = timed  # type: ignore[method-assign]
        return lambda: state["now"]

    assert best_batch(model, [], 8, ticking(0.0, 0.01)) == 1
    model = session(tmp_path / "free.onnx", onnx.scaled(2.0, BATCH))
    assert best_batch(model, [], 8, ticking(0.01, 0.001)) == 8
    model = session(tmp_path / "free.onnx", onnx.scaled(2.0, BATCH))
    assert best_batch(model, [], 1, ticking(0.01, 0.001)) == 1


def test_calls_of_a_batch_get_each_others_answers(
    world: Any, tmp_path: Path, onnx: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a model that takes batches, and eight applications
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(3.0, BATCH))
    monkeypatch.setattr("vedette_model_inference.loading.best_batch", lambda *given: given[2])
    each = world(batchWaitMs=20)
    each.want(path)
    first = each.ready()
    clients = [first, *(each.client(str(each.work / "sockets" / "m1.sock")) for _ in range(7))]
    start = threading.Barrier(8)

    def calls(index: int) -> bool:
        start.wait(30.0)
        for number in range(25):
            # Some bring two pictures, some another element type: they get their own, too.
            rows = 1 + (index + number) % 2
            values = np.full((rows, 3, 4, 5), index * 100 + number, np.float64 if index % 3 == 0 else np.float32)
            y, n = call(clients[index], 30.0, x=values)
            if y.shape != values.shape or not (y == values * 3).all() or not (n == -values).all():
                return False
        return True

    # WHEN all of them call at once
    with ThreadPoolExecutor(8) as pool:
        good = list(pool.map(calls, range(8)))
    # THEN each got its own answers, and runs were shared
    assert good == [True] * 8
    seen = each.wait(ModelState.READY, such=lambda s: s.calls >= 200)
    assert seen.batch is not None
    assert seen.batch > 1.5
    assert seen.errors == 0


def test_a_single_application_waits_for_others(
    world: Any, tmp_path: Path, onnx: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(3.0, BATCH))
    # 900 ms for each call would be 36 s for these.
    monkeypatch.setattr("vedette_model_inference.loading.best_batch", lambda *given: given[2])
    each = world(batchWaitMs=900)
    each.want(path)
    client = each.ready()
    for number in range(40):
        call(client, 10.0, x=np.full((1, 3, 4, 5), number, np.float32))


def test_one_wrong_call_spoils_the_batch(
    world: Any, tmp_path: Path, onnx: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(3.0, BATCH))
    monkeypatch.setattr("vedette_model_inference.loading.best_batch", lambda *given: given[2])
    each = world(batchWaitMs=50)
    each.want(path)
    good = each.ready()
    bad = each.client(str(each.work / "sockets" / "m1.sock"))
    refused: list[str] = []

    def wrong() -> None:
        for _ in range(20):
            try:
                call(bad, 30.0, x=np.zeros((1, 7), np.float32))
            except CallError as error:
                refused.append(error.code)

    thread = threading.Thread(target=wrong)
    thread.start()
    for number in range(20):
        y, _ = call(good, 30.0, x=np.full((1, 3, 4, 5), number, np.float32))
        assert (y == number * 3).all()
    thread.join(30.0)
    assert refused == ["wrong_shape"] * 20


def test_models_compute_at_once_on_more_cores_than_there_are() -> None:
    gate, changed = RunGate(2), threading.Condition()
    running = most = done = 0
    release = threading.Event()

    def run() -> None:
        nonlocal running, most, done
        gate.enter()
        try:
            with changed:
                running += 1
                most = max(most, running)
                changed.notify_all()
            release.wait(30.0)
            with changed:
                running -= 1
                done += 1
        finally:
            gate.leave()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    with changed:
        assert changed.wait_for(lambda: running == 2, 30.0)
    release.set()
    for thread in threads:
        thread.join(30.0)
    assert (most, done, running) == (2, 6, 0)
