"""The time of a picture is that of its capture: jitter, drift, latency and leaps of the camera's clock taken out."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from vedette_camera_ingest.timing import CaptureClock

MS, S = 1_000_000, 1_000_000_000
WALL = 1_800_000_000 * S
MONO = 5_000 * S


def stream(
    seconds: float,
    *,
    delays: Iterator[int],
    camera_rate: float = 1.0,
    camera_ahead: int | None = 0,
    pts_at: int = 77 * S,
) -> Iterator[tuple[int, int | None, int, int]]:
    """Yield time stamp, camera's clock, true capture and arrival (monotonic) of pictures at 25 fps."""
    for index in range(int(seconds * 25)):
        captured = index * 40 * MS
        own = int(captured * camera_rate)
        camera = None if camera_ahead is None else WALL + own + camera_ahead
        yield pts_at + own, camera, MONO + captured, MONO + captured + next(delays)


def jitter(base: int, most: int, seed: int = 1) -> Iterator[int]:
    numbers = random.Random(seed)
    while True:
        # Most packets are prompt, some are not.
        yield base + (numbers.randrange(most) if numbers.random() < 0.5 else 0)


def played(pictures: Iterator[tuple[int, int | None, int, int]]) -> tuple[CaptureClock, list[int], list[int]]:
    """Return the clock, what it said (monotonic), and by how much it was wrong."""
    clock, said, errors = CaptureClock(), [], []
    for pts, camera, captured, arrived in pictures:
        wall = WALL + arrived - MONO
        clock.arrived(pts, camera, arrived, wall)
        mono, unix = clock.captured(pts, arrived, wall)
        assert unix - WALL == mono - MONO
        said.append(mono)
        errors.append(mono - captured)
    return clock, said, errors


def test_a_packet_that_is_late_makes_its_picture_late() -> None:
    _, said, errors = played(stream(20, delays=jitter(20 * MS, 300 * MS), camera_ahead=None))
    # What even the promptest packet took cannot be known without the camera's clock.
    assert max(errors[50:]) - min(errors[50:]) <= 1 * MS
    assert max(errors[50:]) <= 21 * MS
    assert all(later > earlier for earlier, later in pairwise(said))


def test_sender_reports_do_not_take_out_the_latency() -> None:
    clock, _, errors = played(stream(20, delays=jitter(180 * MS, 300 * MS)))
    assert clock.trusted
    assert max(map(abs, errors[50:])) <= 1 * MS


@pytest.mark.parametrize("ahead_s", [-3600, -10, 1, 30])
def test_a_camera_whose_clock_is_wrong_is_believed(ahead_s: int) -> None:
    clock, _, errors = played(stream(10, delays=jitter(20 * MS, 50 * MS), camera_ahead=ahead_s * S))
    assert not clock.trusted
    assert clock.behind_ns is not None
    assert abs(clock.behind_ns + ahead_s * S) < 100 * MS
    assert max(map(abs, errors[50:])) <= 70 * MS


@pytest.mark.parametrize("rate", [1 + 200e-6, 1 - 200e-6])
def test_drift_adds_up(rate: float) -> None:
    _, said, errors = played(stream(3600, delays=jitter(20 * MS, 80 * MS), camera_rate=rate, camera_ahead=None))
    # Without being followed it would be 0.7 s after an hour.
    assert max(map(abs, errors[50:])) <= 25 * MS
    assert all(later > earlier for earlier, later in pairwise(said))


@pytest.mark.parametrize("leap_s", [-3600, -20, 20, 3600])
def test_time_stamps_leap_and_the_pictures_stand_still(leap_s: int) -> None:
    clock, last = CaptureClock(), 0
    before = stream(5, delays=jitter(20 * MS, 1 * MS), camera_ahead=None, pts_at=4000 * S)
    after = stream(5, delays=jitter(20 * MS, 1 * MS), camera_ahead=None, pts_at=(4005 + leap_s) * S)
    later = ((pts, camera, captured + 5 * S, arrived + 5 * S) for pts, camera, captured, arrived in after)
    for pts, camera, captured, arrived in [*before, *later]:
        clock.arrived(pts, camera, arrived, WALL)
        mono, _ = clock.captured(pts, arrived, WALL)
        assert last < mono <= arrived
        assert abs(mono - captured) <= 25 * MS
        last = mono


def test_what_waited_in_a_stalled_connection_is_called_new() -> None:
    clock = CaptureClock()
    pictures = list(stream(10, delays=jitter(20 * MS, 1 * MS), camera_ahead=None))
    stalled = [
        (pts, camera, at, max(at, MONO + 8 * S) if at > MONO + 5 * S else arrived)
        for pts, camera, at, arrived in pictures
    ]
    for pts, camera, captured, arrived in stalled:
        clock.arrived(pts, camera, arrived, WALL)
        mono, _ = clock.captured(pts, arrived, WALL)
        assert abs(mono - captured) <= 25 * MS


def test_stream_without_stamps_has_no_times() -> None:
    clock = CaptureClock()
    for index in range(10):
        clock.arrived(None, None, MONO + index, WALL + index)
        assert clock.captured(None, MONO + index, WALL + index) == (MONO + index, WALL + index)
