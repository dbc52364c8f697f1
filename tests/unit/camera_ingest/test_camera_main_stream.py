"""When the main stream of a camera with a small one is open."""

import pytest
from vedette_camera_ingest.main_stream import BARRED_S, TRANSITIONS, MainEvent, MainState, MainStream

LINGER_S = 5.0


@pytest.fixture
def main() -> MainStream:
    return MainStream(LINGER_S)


def state_of(main: MainStream) -> MainState:
    return main.state


def test_every_state_can_be_left_and_nothing_opens_it_but_a_wish() -> None:
    assert {state for state, _ in TRANSITIONS} == set(MainState)
    opening = {event for (state, event), after in TRANSITIONS.items() if after is MainState.OPEN}
    assert opening == {MainEvent.WANTED}


def test_it_is_closed_until_somebody_wants_it(main: MainStream) -> None:
    main.tick(0.0, wanted=False)
    assert state_of(main) is MainState.CLOSED
    main.tick(1.0, wanted=True)
    assert main.runs


def test_it_stays_open_for_a_while_for_who_comes_back(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.tick(1.0, wanted=False)
    main.tick(1.0 + LINGER_S - 0.1, wanted=False)
    assert state_of(main) is MainState.LINGERING
    assert main.runs
    main.tick(1.0 + LINGER_S, wanted=False)
    assert state_of(main) is MainState.CLOSED


def test_who_comes_back_in_time_keeps_it_open(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.tick(1.0, wanted=False)
    main.tick(4.0, wanted=True)
    main.tick(100.0, wanted=True)
    assert state_of(main) is MainState.OPEN


def test_who_comes_back_as_the_time_is_up_finds_it_open_at_once(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.tick(1.0, wanted=False)
    main.tick(1.0 + LINGER_S, wanted=True)
    assert state_of(main) is MainState.OPEN


def test_a_camera_that_throws_out_the_small_stream_has_its_main_one_closed(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.live(0.5)
    main.small_stream_lost(0.6)
    assert main.runs, "once may be an accident"
    main.live(1.2)
    main.small_stream_lost(1.3)
    assert state_of(main) is MainState.BARRED
    main.tick(1.3 + BARRED_S - 1, wanted=True)
    assert state_of(main) is MainState.BARRED
    assert main.left_s(1.3 + BARRED_S - 1) == pytest.approx(1.0)


def test_a_barred_stream_is_tried_again_and_given_up_at_the_first_sign(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.small_stream_lost(0.6)
    main.small_stream_lost(1.3)
    main.tick(1.3 + BARRED_S, wanted=True)
    assert state_of(main) is MainState.OPEN
    main.small_stream_lost(1.8 + BARRED_S)
    assert state_of(main) is MainState.BARRED


def test_a_small_stream_that_breaks_off_long_after_is_no_fault_of_the_main_one(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.live(1.0)
    for now in (30.0, 60.0, 90.0):
        main.small_stream_lost(now)
        main.tick(now, wanted=True)
    assert state_of(main) is MainState.OPEN


def test_two_losses_an_hour_apart_are_two_accidents(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.small_stream_lost(1.0)
    main.live(3600.0)
    main.small_stream_lost(3601.0)
    assert state_of(main) is MainState.OPEN


def test_applications_come_first_when_the_camera_has_no_session_left(main: MainStream) -> None:
    main.tick(0.0, wanted=True)
    main.small_stream_refused(60.0)
    assert state_of(main) is MainState.BARRED


def test_a_closed_stream_is_not_to_blame(main: MainStream) -> None:
    main.small_stream_lost(0.0)
    main.small_stream_lost(1.0)
    main.small_stream_refused(2.0)
    assert state_of(main) is MainState.CLOSED
