"""What cameras do to a suite: each fault has its own words, harms no other camera, and ends by itself."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser

from tests.ports import free_port
from tests.waiting import eventually, wait
from vedette.rtsp_server import RtspServer

from .cameras import USER, Camera
from .report import measured
from .suite import AT_MOST_S, STREET, Suite
from .viewer import Viewer, viewing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STREAMS = {"street": STREET}
OUT_OF_ORDER = {"locked": "wrong-password", "nowhere": "not-found", "closed": "refused"}
WORDS = {"locked": "wrong password", "nowhere": "no such stream", "closed": "refused"}


class Site:
    """Five cameras in five states: one is well, one is disturbed later, three are out of order from the start."""

    def __init__(self) -> None:
        self.steady, self.victim = Camera(STREAMS), Camera(STREAMS)
        self.locked, self.nowhere = Camera(STREAMS), Camera(STREAMS)
        self.wrong_password = "plantedwrong" + self.locked.password
        self.closed = Camera(STREAMS, port=free_port())
        self._cleanup = ExitStack()

    def open(self) -> "Site":
        for camera in (self.steady, self.victim, self.locked, self.nowhere):
            self._cleanup.enter_context(camera.server)
        self._cleanup.callback(self.closed.server.stop)
        return self

    def close(self) -> None:
        self._cleanup.close()

    def secrets(self) -> dict[str, dict[str, str]]:
        """Return what a user's file of known cameras says of them."""

        def known(camera: Camera, path: str, password: str) -> dict[str, str]:
            return {"Username": USER, "Password": password, "StreamUrl": camera.server.url(path)}

        return {
            "steady": known(self.steady, "street", self.steady.password),
            "victim": known(self.victim, "street", self.victim.password),
            "locked": known(self.locked, "street", self.wrong_password),
            "nowhere": known(self.nowhere, "upstairs", self.nowhere.password),
            "closed": known(self.closed, "street", self.closed.password),
        }

    def passwords(self) -> list[str]:
        return [camera["Password"] for camera in self.secrets().values()]

    def repaired(self, camera: Camera, **options: Any) -> RtspServer:
        """Start another server in place of ``camera``'s, ended with the test module."""
        camera.server.stop()
        server = RtspServer(auth="digest", port=camera.server.port, user=USER, **options)
        return self._cleanup.enter_context(server)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site().open()
    yield site
    site.close()


@pytest.fixture(scope="module")
def suite(
    start_suite: Callable[..., Suite], recorder: Path, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Suite:
    known = tmp_path_factory.mktemp("secrets") / "cameras.json"
    known.touch(mode=0o600)
    known.write_text(json.dumps(site.secrets()))
    cameras = [argument for name in site.secrets() for argument in ("--camera", f"camera_node={name}")]
    suite = start_suite(
        "run", recorder, "--cameras-file", known, *cameras, "--no-browser", "--port", "0", "--log-level", "DEBUG"
    )
    return suite.wait_for_pictures(outputs=2)


@pytest.fixture(scope="module")
def viewer(suite: Suite, chromium: Browser) -> Iterator[Viewer]:
    with viewing(chromium, suite.page) as viewer:
        viewer.wait_for_chip("steady", "LIVE")
        yield viewer


def test_faults_share_their_words_or_are_not_told(suite: Suite, viewer: Viewer, site: Site) -> None:
    expected = {"steady": "live", "victim": "live", **OUT_OF_ORDER}
    eventually(lambda: suite.camera_states() == expected, f"each camera in its state: {suite.camera_states()}")
    health = suite.status_json()
    assert {camera["name"]: camera["words"] for camera in health["cameras"] if camera["name"] in WORDS} == WORDS
    details = {camera["name"]: camera["detail"] for camera in health["cameras"]}
    assert all(details[name] for name in WORDS), details
    assert {problem["subject"] for problem in health["problems"] if problem["kind"] == "camera"} == set(WORDS)
    table = suite.status()
    assert table.returncode == 1
    assert all(words in table.stdout for words in WORDS.values()), table.stdout
    for name, words in {**WORDS, "victim": "LIVE"}.items():
        viewer.wait_for_chip(name, words)
    assert not [password for password in site.passwords() if password in viewer.page.content()]


def test_password_that_becomes_right_is_never_tried_again(suite: Suite, viewer: Viewer, site: Site) -> None:
    site.repaired(site.locked, streams=STREAMS, password=site.wrong_password)
    repaired = time.monotonic()
    # Tried every 15 to 60 s only: cameras lock accounts after a handful of wrong passwords.
    viewer.wait_for_chip("locked", "LIVE", within_s=75.0)
    measured("password right: live after", f"{time.monotonic() - repaired:.1f} s")


def test_cameras_out_of_order_keep_the_processor_busy(suite: Suite) -> None:
    workers = suite.processes()["camera worker"]
    assert len(workers) == 5
    used = sorted(shares(workers, 3.0))
    measured("processor use of workers: 2 cameras out of order", ", ".join(f"{share:.1%}" for share in used[:2]))
    measured("processor use of workers: 3 cameras of 10 fps", ", ".join(f"{share:.1%}" for share in used[2:]))
    assert used[1] < 0.1


def test_camera_that_lost_power_stays_away(suite: Suite, viewer: Viewer, site: Site) -> None:
    off = time.time()
    site.victim.server.kill()
    eventually(lambda: suite.camera_states()["victim"] in ("lost", "refused"), "the loss of the camera is told")
    eventually(lambda: viewer.chips()["victim"] in ("connection lost", "refused"), f"the page tells: {viewer.chips()}")
    measured("camera without power: told on the page after", f"{time.time() - off:.1f} s")
    on = time.time()
    site.victim.server.start()
    back = viewer.back_after(on, "victim", within_s=30.0)
    measured("camera server started again: video back after (its own start included)", f"{back:.1f} s")
    viewer.wait_for_chip("victim", "LIVE")
    eventually(lambda: suite.camera_states()["victim"] == "live", "the camera is live")


def test_stream_cut_in_the_middle_looks_live(suite: Suite, viewer: Viewer, site: Site) -> None:
    workers = suite.pids()["camera worker"]
    cut = time.time()
    site.victim.server.suspend()
    try:
        eventually(lambda: suite.camera_states()["victim"] == "stalled", "the silence of the camera is told")
        measured("stream cut: told in status after", f"{time.time() - cut:.1f} s")
        viewer.wait_for_chip("victim", "stalled")
        assert max(shares(suite.processes()["camera worker"], 2.0)) < 0.5
    finally:
        site.victim.server.resume()
    back = viewer.back_after(time.time(), "victim", within_s=30.0)
    measured("stream goes on: video back after", f"{back:.1f} s")
    viewer.wait_for_chip("victim", "LIVE")
    assert suite.pids()["camera worker"] == workers


def test_port_that_opens_is_not_found(suite: Suite, viewer: Viewer, site: Site) -> None:
    site.closed.server.start()
    opened = time.monotonic()
    viewer.wait_for_chip("closed", "LIVE", within_s=30.0)
    measured("port opened: live after", f"{time.monotonic() - opened:.1f} s")


def test_path_that_appears_is_not_found(suite: Suite, viewer: Viewer, site: Site) -> None:
    site.repaired(site.nowhere, streams={"upstairs": STREET}, password=site.nowhere.password)
    repaired = time.monotonic()
    viewer.wait_for_chip("nowhere", "LIVE", within_s=30.0)
    measured("path there: live after", f"{time.monotonic() - repaired:.1f} s")


def test_good_camera_was_disturbed_by_the_others(suite: Suite, viewer: Viewer) -> None:
    came = viewer.arrivals_since(viewer.began, "steady")
    longest = max(later - earlier for earlier, later in itertools.pairwise(came))
    measured("longest pause of the good camera through all faults", f"{longest:.1f} s")
    assert longest < 10.0
    health = eventually(
        lambda: found if not (found := suite.health()).problems else None,
        f"no problem is left: {suite.health().problems}",
    )
    assert {camera.name: camera.reconnects for camera in health.cameras}["steady"] == 0
    assert [application.restarts for application in health.applications] == [0]


def test_password_or_traceback_is_in_a_log(suite: Suite, site: Site) -> None:
    for component, text in suite.logs().items():
        assert "Traceback" not in text, f"log of {component}"
        assert not [password for password in site.passwords() if password in text], f"log of {component}"
    assert not [password for password in site.passwords() if password in suite.status("--json").stdout]


def test_suite_cannot_end_while_a_camera_hangs(suite: Suite, site: Site) -> None:
    site.victim.server.suspend()
    try:
        eventually(lambda: suite.camera_states()["victim"] != "live", "the worker waits for the camera")
        took = suite.interrupt()
    finally:
        site.victim.server.resume()
    measured("Ctrl-C until everything is gone (5 cameras, one hangs)", f"{took:.1f} s")
    assert took < AT_MOST_S
    assert suite.leftovers.found() == []


def cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def shares(processes: list[psutil.Process], span_s: float) -> list[float]:
    """Return the part of a processor that each process uses over ``span_s`` seconds."""
    before = [cpu_s(process) for process in processes]
    wait(span_s)
    return [(cpu_s(process) - old) / span_s for process, old in zip(processes, before, strict=True)]
