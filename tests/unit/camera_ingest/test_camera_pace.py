"""A limit of pictures a second: kept evenly, and what is not needed for it is not decoded."""

import itertools

import pytest
from vedette_camera_ingest.pace import Effort, Pace

S = 1_000_000_000


@pytest.mark.parametrize(
    ("most", "fps", "seconds"), [(5, 25, 20), (10, 25, 20), (2.5, 30, 40), (15, 14, 10), (0.5, 25, 60)]
)
def test_limit_is_not_kept_or_kept_unevenly(most: float, fps: float, seconds: int) -> None:
    pace = Pace(most)
    # Every third picture is 15 ms late.
    times = [int(index * S / fps) + (index % 3 == 0) * 15_000_000 for index in range(int(fps * seconds))]
    passed = [at for at in times if pace.passes(at)]
    expected = min(most, fps) * seconds
    assert 0.85 * expected <= len(passed) <= 1.15 * expected + 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(passed)]
    assert max(gaps) < 2.1 * S / min(most, fps)


def test_camera_that_was_away_makes_up_for_it() -> None:
    pace = Pace(5)
    before = sum(pace.passes(index * S // 25) for index in range(250))
    after = sum(pace.passes(3600 * S + index * S // 25) for index in range(25))
    assert (before, after) == (50, 5)


def test_everything_passes_without_a_limit() -> None:
    pace = Pace(None)
    assert all(pace.passes(index) for index in range(100))
    assert pace.effort(1, key=True, frames=1) is Effort.ALL


def efforts(most: float, *, group: int, needed: int, seconds: int = 30) -> list[Effort]:
    """Play 25 fps with a key frame every ``group`` pictures, of which every ``needed``-th is needed by others."""
    pace, effort, told = Pace(most), Effort.ALL, []
    for index in range(25 * seconds):
        key = index % group == 0
        decoded = effort is Effort.ALL or key or (effort is Effort.REFERENCES and index % needed == 0)
        effort = pace.effort(index * S // 25, key=key, frames=int(decoded))
        told.append(effort)
    return told


def test_what_nobody_needs_is_decoded() -> None:
    assert efforts(8, group=50, needed=3)[-1] is Effort.REFERENCES
    assert efforts(1, group=25, needed=3)[-1] is Effort.KEYS
    assert Effort.REFERENCES not in efforts(20, group=50, needed=3)


def test_too_much_is_left_out_for_long() -> None:
    # Half as many pictures as wanted are left: given up, and not tried again.
    told = efforts(10, group=50, needed=5)
    assert told[-1] is Effort.ALL
    assert 0 < told.count(Effort.REFERENCES) < 25 * 5
    assert sum(earlier is not later for earlier, later in itertools.pairwise(told)) == 2
