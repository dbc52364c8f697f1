"""When an application that ended is started again."""

import pytest
from vedette_app_runtime.restarts import RestartPolicy


def delays(runs: list[tuple[float, float]]) -> list[tuple[float, bool]]:
    """Return what follows each run, given as (started, ended)."""
    policy = RestartPolicy()
    decisions = [policy.ended(started, ended) for started, ended in runs]
    return [(decision.delay_s, decision.held_back) for decision in decisions]


def spaced(count: int, every_s: float, run_s: float = 1.0) -> list[tuple[float, float]]:
    return [(index * every_s, index * every_s + run_s) for index in range(count)]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (spaced(4, 10), [(0.2, False), (0.4, False), (0.8, False), (1.6, False)]),
        (spaced(6, 10), [(0.2, False), (0.4, False), (0.8, False), (1.6, False), (60.0, True), (60.0, True)]),
        # Spread out, it is never held back, and the delay stops growing.
        (spaced(12, 60)[7:10], [(0.2, False), (0.4, False), (0.8, False)]),
        # A good run in between begins anew.
        ([(0, 1), (2, 3), (4, 40), (41, 42)], [(0.2, False), (0.4, False), (0.2, False), (0.4, False)]),
        # Held back, then well again.
        ([*spaced(5, 2), (100, 131), (132, 133)], [
            (0.2, False), (0.4, False), (0.8, False), (1.6, False), (60.0, True), (0.2, False), (0.4, False),
        ]),
        # Held back, and a run that is not good enough changes nothing.
        ([*spaced(5, 2), (1000, 1029)], [
            (0.2, False), (0.4, False), (0.8, False), (1.6, False), (60.0, True), (60.0, True),
        ]),
    ],
)  # fmt: skip
def test_the_table_of_delays(runs: list[tuple[float, float]], expected: list[tuple[float, bool]]) -> None:
    assert delays(runs) == expected


def test_the_delay_grows_for_ever() -> None:
    assert delays(spaced(2000, 60))[8:] == [(30.0, False)] * 1992
