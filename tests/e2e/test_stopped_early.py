"""Ctrl-C at moments when a run is not yet, or no longer, what it is meant to be."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually, wait

from .report import measured
from .suite import AT_MOST_S, STREET, Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def starting(start_suite: Callable[..., Suite], recorder: Path, tmp_path: Path) -> Iterator[Suite]:
    """Return a run whose nucleus has just come up: nothing else has. Its folder has never seen another one."""
    project = tmp_path / "recorder"
    shutil.copytree(recorder, project, ignore=shutil.ignore_patterns(".vedette"))
    suite = start_suite("run", project, "--camera", f"camera_node={STREET}", "--no-browser", "--port", "0")
    eventually(lambda: list(suite.registry.glob("vedette/*/instance.json")), "the run is registered")
    yield suite
    suite.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_run_cannot_be_stopped_while_it_starts(starting: Suite, number: signal.Signals) -> None:
    took = starting.interrupt(number)
    measured(f"{number.name} at the very start: everything gone after", f"{took:.1f} s")
    assert starting.process.returncode == 0, starting.talk
    assert took < AT_MOST_S
    assert starting.leftovers.found() == []
    assert "Traceback" not in starting.talk
    assert "error" not in starting.talk


def test_environment_that_is_being_made_holds_up_the_end(starting: Suite) -> None:
    # The recorder's first start makes a Python environment; only then there is a host.
    eventually(
        lambda: any("vedette_app_runtime install" in command for command in starting.commands().values()),
        "an installation",
    )
    took = starting.interrupt()
    measured("Ctrl-C during an installation: everything gone after", f"{took:.1f} s")
    assert took < AT_MOST_S
    assert starting.leftovers.found() == []


def test_second_ctrl_c_breaks_the_stop_off(starting: Suite) -> None:
    starting.wait_for_pictures()
    starting.note_what_could_be_left()
    began = time.monotonic()
    for _ in range(5):
        starting.process.send_signal(signal.SIGINT)
        wait(0.05)
    starting.process.wait(30.0)
    assert time.monotonic() - began < AT_MOST_S
    assert starting.process.returncode == 0, starting.talk
    assert starting.leftovers.found() == []
    assert "Traceback" not in starting.talk
