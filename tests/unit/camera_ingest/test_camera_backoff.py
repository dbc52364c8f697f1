"""How fast a camera is tried again."""

import pytest
from vedette_camera_ingest.backoff import Backoff

from vedette.messages import CameraState


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_a_lost_stream_is_tried_again_at_once() -> None:
    for pick, expected in ((min, 0.2), (max, 0.5)):
        backoff = Backoff(lambda low, high, pick=pick: pick(low, high))  # type: ignore[misc]
        assert backoff.next_delay_s(CameraState.LOST, delivered=True) == expected


def test_waits_double_and_stop_growing_at_10_s() -> None:
    backoff = Backoff(middle)
    waits = [backoff.next_delay_s(CameraState.REFUSED, delivered=False) for _ in range(8)]
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_waits_never_exceed_the_cap_however_long_the_camera_is_away() -> None:
    backoff = Backoff(max)
    assert max(backoff.next_delay_s(CameraState.UNREACHABLE, delivered=False) for _ in range(5000)) == 10


@pytest.mark.parametrize("state", [CameraState.WRONG_PASSWORD, CameraState.PASSWORD_NEEDED])
def test_a_wrong_password_is_tried_slowly(state: CameraState) -> None:
    backoff = Backoff(middle)
    assert [backoff.next_delay_s(state, delivered=False) for _ in range(4)] == [15, 30, 60, 60]


def test_a_login_refused_after_other_failures_starts_its_own_count() -> None:
    backoff = Backoff(middle)
    for _ in range(6):
        backoff.next_delay_s(CameraState.REFUSED, delivered=False)
    assert backoff.next_delay_s(CameraState.WRONG_PASSWORD, delivered=False) == 15
    assert backoff.next_delay_s(CameraState.REFUSED, delivered=False) == 0.5


def test_pictures_in_between_reset_the_count() -> None:
    backoff = Backoff(middle)
    for _ in range(6):
        backoff.next_delay_s(CameraState.REFUSED, delivered=False)
    backoff.next_delay_s(CameraState.STALLED, delivered=True)
    assert backoff.next_delay_s(CameraState.REFUSED, delivered=False) == 0.5
