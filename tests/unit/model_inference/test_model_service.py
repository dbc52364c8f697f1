"""Which models are loaded, when they go, and what is told of them; models are fakes, time is given."""

from pathlib import Path
from typing import Any

import pytest
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.service import ModelService, fitted

from vedette.bus import BusTimeout
from vedette.bus.memory import MemoryBus
from vedette.messages import MAX_BYTES, ModelDemand, ModelState, ModelStatus, Tensor


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeModel:
    def __init__(self, demand: ModelDemand, paths: list[Path], socket_path: Path, changed: Any) -> None:
        self.demand, self.paths, self.socket_path, self.changed = demand, paths, socket_path, changed
        self.state = ModelState.LOADING
        self.stopped = False
        self.ended = True
        self.is_due = False
        self.retries = 0

    def due(self, paths: list[Path]) -> bool:
        return self.is_due

    def retry(self, demand: ModelDemand, paths: list[Path]) -> None:
        self.retries += 1
        self.is_due = False

    def stop(self) -> None:
        self.stopped = True

    def join(self, timeout_s: float) -> bool:
        return self.ended

    def status(self, users: list[str]) -> ModelStatus:
        return ModelStatus(model_id=self.demand.model_id, name="m.onnx", state=self.state, since=1.0, users=list(users))


class World:
    """A service on a fake clock, with fake models."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.bus = MemoryBus()
        self.models: list[FakeModel] = []
        self.service = ModelService(
            self.bus,
            Path("/sockets"),
            Configuration(unload_after_s=30.0),
            None,  # type: ignore[arg-type]
            make_model=self._make,  # type: ignore[arg-type]
            clock=self.clock,
        )

    def _make(self, *arguments: Any) -> FakeModel:
        self.models.append(FakeModel(*arguments))
        return self.models[-1]

    def demand(self, instance: str = "lobby", path: str = "/m.onnx", **more: Any) -> None:
        message = ModelDemand(model_id="m1", path=path, instance=instance, node="n", **more)
        self.service.hear(ModelDemand.topic("m1"), message.encode())

    def step(self, seconds: float = 0.0) -> None:
        self.clock.now += seconds
        self.service._wait()
        self.service.step()

    def told(self) -> list[ModelStatus]:
        published, self.bus.published[:] = list(self.bus.published), []
        return [ModelStatus.model_validate_json(payload) for _, payload in published]


@pytest.fixture
def world() -> Any:
    world = World()
    yield world
    world.bus.close()


def test_one_model_is_loaded_for_all_who_want_it(world: World) -> None:
    world.demand("lobby")
    world.demand("yard", path="/other/m.onnx")
    world.step()
    (model,) = world.models
    assert model.paths == [Path("/m.onnx"), Path("/other/m.onnx")]
    assert model.socket_path == Path("/sockets/m1.sock")
    assert world.told()[0].users == ["lobby/n", "yard/n"]


def test_a_model_nobody_wants_goes_after_a_while_but_not_at_once(world: World) -> None:
    world.demand()
    world.step()
    (model,) = world.models
    model.state = ModelState.READY
    world.step(5)  # the lease is over
    world.step(29)
    assert not model.stopped
    world.demand()  # wanted again in time
    world.step(2)
    world.step(20)
    stopped = [model.stopped]
    world.step(31)
    stopped.append(model.stopped)
    assert stopped == [False, True]
    world.told()
    world.step(1)
    assert world.told() == []


def test_a_failed_model_nobody_wants_goes_at_once(world: World) -> None:
    world.demand()
    world.step()
    world.models[0].state = ModelState.FAILED
    world.demand(wanted=False)
    world.step()
    assert world.models[0].stopped


def test_a_model_wanted_again_while_it_ends_waits_for_its_socket(world: World) -> None:
    world.demand()
    world.step()
    world.models[0].state = ModelState.FAILED
    world.models[0].ended = False
    world.demand(wanted=False)
    world.step()
    world.demand()
    world.step()
    assert len(world.models) == 1
    world.models[0].ended = True
    world.step()
    world.step()
    assert len(world.models) == 2


def test_a_failed_model_that_is_due_is_tried_again(world: World) -> None:
    world.demand()
    world.step()
    model = world.models[0]
    model.state = ModelState.FAILED
    world.step()
    assert model.retries == 0
    model.is_due = True
    world.step()
    world.step()
    assert model.retries == 1


def test_statuses_are_repeated_each_second_and_told_at_once_on_a_change(world: World) -> None:
    world.demand()
    world.step()
    assert [status.state for status in world.told()] == [ModelState.LOADING]
    world.step(0.5)
    assert world.told() == []
    world.models[0].state = ModelState.READY
    world.step(0.1)
    assert [status.state for status in world.told()] == [ModelState.READY]
    world.step(0.5)
    assert [status.state for status in world.told()] == [ModelState.READY]


def test_a_change_wakes_the_loop(world: World) -> None:
    world.demand()
    world.step()
    world.models[0].changed()
    assert world.service._inbox.get_nowait() is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b'{"model_id": "m2", "path": "/m.onnx", "instance": "i", "node": "n"}',
        b'{"model_id": "m1", "path": "m.onnx", "instance": "i", "node": "n"}',
        b'{"model_id": "m1", "path": "/m.onnx", "instance": "i", "node": "n", "format": "exe"}',
    ],
)
def test_a_demand_that_is_not_one_is_counted_and_left(world: World, payload: bytes) -> None:
    world.service.hear(ModelDemand.topic("m1"), payload)
    world.step()
    assert world.models == []
    assert world.service.rejected == 1


@pytest.mark.parametrize("model_id", ["../../etc/x", "", "a" * 65, ".hidden", "a b"])
def test_an_id_that_is_no_file_name_is_refused(world: World, model_id: str) -> None:
    message = ModelDemand(model_id=model_id, path="/m.onnx", instance="i", node="n")
    world.service.hear(ModelDemand.topic(model_id), message.encode())
    assert world.service.rejected == 1


def test_a_flood_of_demands_is_bounded(world: World) -> None:
    for _ in range(300):
        world.demand()
    assert world.service.rejected == 300 - 256
    world.step()
    assert len(world.models) == 1


def test_a_bus_that_is_slow_ends_nothing(world: World) -> None:
    def fail(topic: str, payload: bytes) -> None:
        raise BusTimeout("slow")

    world.demand()
    world.bus.publish = fail  # type: ignore[method-assign]
    world.step()
    assert world.service.publish_errors == 1


def test_a_status_too_long_for_a_message_is_shortened() -> None:
    tensors = [Tensor(name="x" * 100, dtype="float32", shape=[1, 2, 3]) for _ in range(60)]
    status = ModelStatus(model_id="m", name="m", state=ModelState.READY, since=1.0, outputs=tensors, users=["a/b"])
    short = ModelStatus.model_validate_json(fitted(status))
    assert (short.outputs, short.users) == ([], ["a/b"])
    crowded = status.model_copy(update={"users": ["u" * 90] * 200, "detail": "d" * 5000})
    assert len(fitted(crowded)) <= MAX_BYTES
