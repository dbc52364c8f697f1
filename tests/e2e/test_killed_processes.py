"""``kill -9`` of each process in turn: the video is back, and nobody else is disturbed."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.waiting import eventually

from .cameras import Camera
from .report import measured
from .suite import ROLES, STREET, Suite
from .viewer import Viewer, viewing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TAKEN_ALONG = {
    "camera ingest": {"camera worker"},
    "application host": {"sandbox", "application"},
    "sandbox": {"application"},
    "application": {"sandbox"},
}
"""Who ends with whom: a process's own children, and a sandbox whose application has ended."""
COUNTS = {role: 2 if role == "sandbox" else 1 for role in ROLES}
"""bubblewrap is two processes: one outside that waits, the first one inside."""


@pytest.fixture(scope="module")
def suite(start_suite: Callable[..., Suite], people_counter: Path) -> Iterator[Suite]:
    camera = Camera({"street": STREET})
    with camera.server:
        suite = start_suite(
            "run", people_counter, "--camera", f"camera_node={camera.url('street')}", "--no-browser", "--port", "0"
        )
        yield suite.wait_for_pictures()


@pytest.fixture(scope="module")
def viewer(suite: Suite, chromium: Browser) -> Iterator[Viewer]:
    with viewing(chromium, suite.page) as viewer:
        viewer.wait_for_chip("camera_node", "LIVE")
        yield viewer


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("attempt", ["first", "second"])
def test_video_stays_away_after_a_kill_of(role: str, attempt: str, suite: Suite, viewer: Viewer) -> None:
    before = suite.pids()
    assert {name: len(pids) for name, pids in before.items()} == COUNTS
    victim = suite.processes()[role][0]
    killed = time.time()
    victim.send_signal(signal.SIGKILL)
    away = viewer.back_after(killed)
    measured(f"kill -9 of {role} ({attempt}): video back after", f"{away:.1f} s")
    eventually(
        lambda: {name: len(pids) for name, pids in suite.pids().items()} == COUNTS,
        f"every process runs: {suite.pids()}",
    )
    after = suite.pids()
    assert victim.pid not in after[role]
    assert {other for other in ROLES if before[other] != after[other]} == {role} | TAKEN_ALONG.get(role, set())
    viewer.wait_for_chip("camera_node", "LIVE")
    eventually(
        lambda: {component.state for component in suite.health().components} <= {"RUNNING", "FINISHED"},
        f"every component runs: {suite.health().components}",
    )


def test_health_still_complains_or_a_log_holds_a_traceback(suite: Suite) -> None:
    health = eventually(
        lambda: found if not (found := suite.health()).problems else None,
        f"no problem is left: {suite.health().problems}",
    )
    assert {component.state for component in health.components} == {"RUNNING", "FINISHED"}
    for component, text in suite.logs().items():
        assert "Traceback" not in text, f"log of {component}"


def test_something_is_left_when_the_command_itself_is_killed(suite: Suite, viewer: Viewer) -> None:
    suite.note_what_could_be_left()
    began = time.monotonic()
    suite.process.kill()
    suite.process.wait(30.0)
    eventually(lambda: not suite.leftovers.found(), f"nothing left: {suite.leftovers.found()}", within_s=30.0)
    measured("kill -9 of vedette run: nothing left after", f"{time.monotonic() - began:.1f} s")
    # The page stays open and says so; it claims no live picture.
    eventually(lambda: viewer.page.locator("#lost").is_visible(), "the page says that the display is lost")
    eventually(lambda: set(viewer.chips().values()) == {"cut off"}, "the tile is cut off")
