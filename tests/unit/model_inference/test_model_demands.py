"""Leases on models, states, times of runs, configuration."""

from pathlib import Path

import pytest
from vedette_model_inference.configuration import Configuration, read_configuration
from vedette_model_inference.demands import DemandTable
from vedette_model_inference.errors import ConfigurationError, LoadError
from vedette_model_inference.run_times import RunTimes
from vedette_model_inference.session import known_shape
from vedette_model_inference.states import MOVES, check_move
from vedette_model_inference.verdicts import Verdicts

from vedette.messages import ModelDemand, ModelState, Tensor
from vedette.rings.calls import TensorSpec


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def demand(instance: str = "lobby", model_id: str = "m1", *, wanted: bool = True) -> ModelDemand:
    return ModelDemand(model_id=model_id, path="/m.onnx", instance=instance, node="model_node", wanted=wanted)


def test_a_silent_user_is_forgotten_and_a_repeated_one_is_not() -> None:
    clock = Clock()
    table = DemandTable(clock, ttl_s=4)
    table.hear(demand("lobby"))
    table.hear(demand("yard"))
    clock.now += 3
    table.hear(demand("yard"))
    clock.now += 2
    table.expire()
    assert table.users("m1") == ["yard/model_node"]
    clock.now += 3
    table.expire()
    assert table.models() == []
    assert table.users("m1") == []


def test_a_withdrawn_demand_ends_at_once() -> None:
    table = DemandTable(Clock())
    table.hear(demand("lobby"))
    table.hear(demand("yard"))
    table.hear(demand("lobby", wanted=False))
    assert table.users("m1") == ["yard/model_node"]
    table.hear(demand("yard", wanted=False))
    table.hear(demand("nobody", wanted=False))
    assert table.models() == []


def test_users_are_bounded_but_known_ones_are_renewed() -> None:
    table = DemandTable(Clock())
    assert all(table.hear(demand(str(n), f"m{n % 3}")) for n in range(1024))
    assert not table.hear(demand("one more"))
    assert table.hear(demand("0", "m0"))


@pytest.mark.parametrize("before", ModelState)
@pytest.mark.parametrize("after", ModelState)
def test_only_the_moves_of_the_table_are_made(before: ModelState, after: ModelState) -> None:
    if after in MOVES[before]:
        check_move(before, after)
    else:
        with pytest.raises(RuntimeError, match=f"from {before.value} to {after.value}"):
            check_move(before, after)


def test_the_rate_is_that_of_the_last_full_window() -> None:
    times = RunTimes()
    assert times.median_ms() is None
    assert times.calls_per_s(10.0, 0) is None
    assert times.calls_per_s(12.0, 20) is None
    assert times.calls_per_s(15.0, 50) == 10.0
    assert times.calls_per_s(18.0, 1000) == 10.0
    assert times.calls_per_s(25.0, 50) == 0.0
    for duration in (0.001, 0.002, 0.9):
        times.add(duration)
    assert times.median_ms() == 2.0


@pytest.mark.parametrize(
    ("declared", "shape"),
    [
        ([], (1, 3, 1, 1)),
        ([Tensor(name="data", shape=[4, 3, 8, 9])], (4, 3, 8, 9)),
        ([Tensor(name="other name", shape=[4, 3, 8, 9])], (4, 3, 8, 9)),
        ([Tensor(name="data", shape=[4, 99, 8, -1])], (4, 3, 8, 1)),
        ([Tensor(name="data", shape=[8, 9])], (1, 3, 1, 1)),
        ([Tensor(name="a", shape=[4, 3, 8, 9]), Tensor(name="b", shape=[1])], (1, 3, 1, 1)),
        ([Tensor(name="data")], (1, 3, 1, 1)),
    ],
)
def test_free_dimensions_come_from_the_descriptor(declared: list[Tensor], shape: tuple[int, ...]) -> None:
    assert known_shape(TensorSpec("data", "float32", ("N", 3, -1, "W")), declared, 1, 1) == shape


def test_configuration_as_nuclei_give_it_is_understood() -> None:
    configuration = read_configuration({"threads": 1.0, "unloadAfterS": "5", "accessControl": {"x": 1}})
    assert (configuration.threads, configuration.unload_after_s) == (1, 5.0)
    assert configuration.thread_count() == 1
    assert 1 <= Configuration().thread_count() <= 4


def test_a_wrong_key_of_the_configuration_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"threads: Input should be greater.*treads: Extra"):
        read_configuration({"treads": 1, "threads": -1})


def test_a_file_that_ends_the_process_twice_is_not_loaded_a_third_time(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    wall = Clock()
    never_left = []  # as by processes that end inside of it
    for _ in range(2):
        never_left.append(Verdicts(path, wall).attempt("bad"))
        never_left[-1].__enter__()
        wall.now += 60
    with pytest.raises(LoadError, match="ended the process 2 times"), Verdicts(path, wall).attempt("bad"):
        pytest.fail("loaded")
    with Verdicts(path, wall).attempt("good"):
        pass
    wall.now += 3600
    with Verdicts(path, wall).attempt("bad"):
        pass


def test_an_attempt_that_fails_in_good_order_is_not_counted(tmp_path: Path) -> None:
    for _ in range(5):
        with pytest.raises(LoadError, match="no"), Verdicts(tmp_path / "v.json").attempt("x"):
            raise LoadError("no")


def test_verified_files_are_remembered_and_the_oldest_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    wall = Clock()
    verdicts = Verdicts(path, wall)
    for number in range(300):
        wall.now += 1
        verdicts.mark_verified(str(number))
    again = Verdicts(path, wall)
    assert again.verified("299")
    assert not again.verified("0")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 5}', "\0"])
def test_a_broken_file_of_verdicts_is_left(tmp_path: Path, content: str) -> None:
    path = tmp_path / "verdicts.json"
    path.write_text(content)
    verdicts = Verdicts(path)
    assert not verdicts.verified("a")
    verdicts.mark_verified("a")
    assert Verdicts(path).verified("a")
