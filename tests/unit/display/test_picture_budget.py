"""Pacing: the page's budget, slow links, and never more under way than the page has drawn."""

import pytest
from vedette_display.budget import GOOD_SECONDS, LEVELS, PAGE_PICTURES_S, LinkBudget, fps_share
from vedette_display.flow import LOST_S, Flow
from vedette_display.picture import Picture, Variant
from vedette_display.window import Window


def shot(number: int) -> Picture:
    return Picture(number, Variant(640), 640, 360, 0, 0, 0, 0, True, b"")


def new_flow(fps: float = 15.0, window: int = 2) -> Flow:
    return Flow("o", Variant(640), fps, lambda: None, window=window)


@pytest.mark.parametrize(("tiles", "fps"), [(0, 15.0), (1, 15.0), (5, 15.0), (8, 10.0), (16, 5.0)])
def test_page_gets_more_than_its_budget(tiles: int, fps: float) -> None:
    assert fps_share(tiles) == fps
    assert fps_share(tiles) * tiles <= PAGE_PICTURES_S


def test_slow_link_loses_quality_before_frame_rate() -> None:
    """Fewer pictures first, then worse ones, then smaller ones."""
    assert [level.fps_factor for level in LEVELS] == [1.0, 0.5, 0.5, 0.5]
    assert [level.quality for level in LEVELS] == [75, 75, 60, 60]
    assert [level.max_width for level in LEVELS] == [1280, 1280, 1280, 480]


def test_slow_link_is_not_noticed() -> None:
    budget = LinkBudget()
    assert not budget.observe(1.0), "one bad second is not a slow link"
    assert budget.observe(1.0)
    assert budget.reduced
    for _ in range(20):
        budget.observe(1.0)
    assert budget.level == LEVELS[-1]


def test_link_that_is_good_again_stays_reduced() -> None:
    budget = LinkBudget()
    for _ in range(2):
        budget.observe(1.0)
    changes = [budget.observe(0.0) for _ in range(GOOD_SECONDS)]
    assert changes == [False] * (GOOD_SECONDS - 1) + [True]
    assert not budget.reduced


def test_link_just_too_slow_swings_for_ever() -> None:
    """Full at a level, empty one below: each return must take longer."""
    budget = LinkBudget()
    for _ in range(4):
        budget.observe(1.0)
    assert budget.level == LEVELS[2]
    waits = []
    for _ in range(3):
        seconds = 1
        while not budget.observe(0.0):
            seconds += 1
        waits.append(seconds)
        while not budget.observe(1.0):
            pass
    assert waits == [GOOD_SECONDS, 2 * GOOD_SECONDS, 4 * GOOD_SECONDS]


def test_more_than_two_pictures_are_under_way() -> None:
    flow = new_flow()
    for number in (1, 2, 3):
        flow.offer(shot(number), number * 0.1)
        sent = flow.take(number * 0.1)
        assert (sent is not None) == (number <= 2)
    assert not flow.wants(1.0)
    assert flow.drawn(1, 1.0) is not None
    assert flow.wants(1.0)


def test_older_picture_goes_out_after_a_newer_one_came() -> None:
    flow = new_flow()
    flow.offer(shot(1), 0.0)
    flow.offer(shot(2), 0.05)
    sent = flow.take(0.06)
    assert sent is not None
    assert sent.picture.number == 2
    assert flow.take(0.07) is None


def test_fast_output_is_sent_unpaced() -> None:
    flow = new_flow(fps=10.0)
    taken = 0
    for tick in range(300):
        now = tick / 30
        if flow.wants(now):
            flow.offer(shot(tick), now)
            flow.take(now)
            flow.drawn(tick, now)
            taken += 1
    assert 95 <= taken <= 103


def test_output_at_the_limit_loses_pictures_to_jitter() -> None:
    flow = new_flow(fps=15.0)
    taken = 0
    for tick in range(150):
        now = tick / 15 + (0.012 if tick % 2 else 0.0)
        if flow.wants(now):
            flow.offer(shot(tick), now)
            flow.take(now)
            flow.drawn(tick, now)
            taken += 1
    assert taken == 150


def test_lost_confirmation_stops_the_tile() -> None:
    flow = new_flow()
    for number in (1, 2):
        flow.offer(shot(number), 0.0)
        flow.take(0.0)
    assert not flow.wants(LOST_S)
    flow.take(LOST_S + 0.1)
    assert flow.wants(LOST_S + 0.1)


def test_confirmation_of_nothing_opens_the_window() -> None:
    flow = new_flow()
    assert flow.drawn(99, 0.0) is None
    for number in (1, 2):
        flow.offer(shot(number), 0.0)
        flow.take(0.0)
    assert flow.drawn(99, 0.1) is None
    assert not flow.wants(0.1)


def test_time_behind_is_miscounted() -> None:
    flow = new_flow()
    for number in (1, 2):
        flow.offer(shot(number), 0.0)
        flow.take(0.0)
    flow.drawn(1, 0.4)
    assert flow.full_s(1.0) == pytest.approx(0.4)
    flow.offer(shot(3), 1.0)
    flow.take(1.0)
    assert flow.full_s(1.5) == pytest.approx(0.5)
    assert flow.full_s(2.0) == pytest.approx(0.5)


def test_figures_never_forget() -> None:
    window = Window()
    for value in range(100):
        window.add(value * 0.01, float(value))
    assert window.percentile(1.0, 0.95) == 95.0
    assert window.percentile(60.0, 0.95) is None
    assert window.rate(1.0) == pytest.approx(100, rel=0.05)
    assert window.rate(60.0) is None


def test_first_pictures_that_come_in_one_go_make_a_rate() -> None:
    window = Window()
    for number in range(5):
        window.add(number * 0.02, 1.0)
    assert window.rate(0.1) is None
    assert window.rate(1.1) == pytest.approx(4.5, abs=0.5)


def test_stream_that_stopped_keeps_its_frame_rate() -> None:
    window = Window()
    for tick in range(45):
        window.add(tick / 15, 1.0)
    rate = window.rate(5.0)
    assert rate is not None
    assert rate < 8
