"""The state table and the counting of errors."""

import itertools

import pytest

from vedette.nucleus.restarts import ErrorCount
from vedette.nucleus.states import MOVES, ComponentState, Move, after


def reachable(start: ComponentState) -> set[ComponentState]:
    found = {start}
    while True:
        fresh = {new for (old, _), new in MOVES.items() if old in found} - found
        if not fresh:
            return found
        found |= fresh


def test_a_state_cannot_be_reached_from_new() -> None:
    assert reachable(ComponentState.NEW) == set(ComponentState)


def test_something_other_than_reinstalling_leads_out_of_broken() -> None:
    assert {move for old, move in MOVES if old is ComponentState.BROKEN} == {Move.REINSTALL}


def test_a_component_that_has_a_process_cannot_be_stopped() -> None:
    for state in (ComponentState.NEW, ComponentState.STARTING, ComponentState.RUNNING, ComponentState.ERRORED):
        assert after(state, Move.STOP) is ComponentState.STOPPING


def test_a_component_runs_without_being_installed() -> None:
    assert {old for (old, _), new in MOVES.items() if new is ComponentState.STARTING} == {ComponentState.INSTALLED}


def test_a_forbidden_move_passes() -> None:
    allowed = 0
    for state, move in itertools.product(ComponentState, Move):
        if (state, move) in MOVES:
            allowed += 1
            continue
        with pytest.raises(ValueError, match=f"{state.value} cannot {move.value}"):
            after(state, move)
    assert allowed == len(MOVES)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_restart_waits() -> None:
    assert ErrorCount(Clock()).note(ComponentState.RUNNING) == 0.0


def test_pauses_do_not_grow_or_the_third_error_does_not_break() -> None:
    count = ErrorCount(Clock())
    pauses = [count.note(ComponentState.RUNNING) for _ in range(3)]
    assert pauses == [0.0, 1.0, None]


def test_errors_of_different_states_are_added_up() -> None:
    count = ErrorCount(Clock())
    pauses = [count.note(state) for state in (ComponentState.NEW, ComponentState.RUNNING) * 2]
    assert None not in pauses


def test_errors_an_hour_apart_break_a_component() -> None:
    clock = Clock()
    count = ErrorCount(clock)
    for _ in range(5):
        assert count.note(ComponentState.RUNNING) == 0.0
        clock.now += 3600.0


def test_a_good_report_does_not_clear_the_count() -> None:
    count = ErrorCount(Clock())
    for _ in range(10):
        assert count.note(ComponentState.RUNNING) == 0.0
        count.clear()
