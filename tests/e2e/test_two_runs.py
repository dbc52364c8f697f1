"""Two applications at once, each with a ``vedette run`` of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import eventually

from .suite import AT_MOST_S, STREET, Suite

FOR_S = "40"
"""Beside the making of an environment and another run's, on two cores that others keep busy."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_second_run_takes_what_is_the_first_ones(
    start_suite: Callable[..., Suite], people_counter: Path, recorder: Path, tmp_path: Path
) -> None:
    # One user's registry for both, as on a real machine.
    first = start_suite("run", people_counter, "--camera", f"camera_node={STREET}", "--no-browser")
    second = start_suite(
        "run", recorder, "--camera", f"camera_node={STREET}", "--no-browser", "--for", FOR_S, registry=first.registry
    )
    second.wait_for_pictures().note_what_could_be_left()
    first.wait_for_pictures()
    assert first.page != second.page
    table = first.status()
    assert table.returncode == 0, table.stdout + table.stderr
    assert "people-counter" in table.stdout
    assert "recorder" in table.stdout

    assert second.process.wait(60.0) == 0, second.talk
    assert second.since_start_s > float(FOR_S)
    assert second.leftovers.found() == []
    # The first one's folder is in use: another run of it is refused, and harms nobody.
    third = start_suite(
        "run", people_counter, "--camera", f"camera_node={STREET}", "--no-browser", registry=first.registry
    )
    assert third.process.wait(30.0) == 1
    assert f"runs already, as process {first.process.pid}" in third.talk
    assert "hint: " in third.talk

    frames = first.health().cameras[0].frames
    eventually(lambda: first.health().cameras[0].frames > frames + 10, "the first run goes on")
    assert first.health().problems == []
    assert first.interrupt() < AT_MOST_S
    assert first.leftovers.found() == []
