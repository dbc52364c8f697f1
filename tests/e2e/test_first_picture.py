"""One command, a camera with a password, a picture with boxes in the browser."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser

from tests.waiting import eventually, wait

from .cameras import Camera
from .report import measured
from .suite import AT_MOST_S, STREET, Suite
from .viewer import Viewer, viewing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


SHOWN = {"latency_ms", "shown_fps"}


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    camera = Camera({"street": STREET})
    with camera.server:
        yield camera


@pytest.fixture(scope="module")
def suite(start_suite: Callable[..., Suite], people_counter: Path, camera: Camera) -> Suite:
    suite = start_suite(
        "run", people_counter, "--camera", f"camera_node={camera.url('street')}",
        "--no-browser", "--port", "0", "--log-level", "DEBUG",
    )  # fmt: skip
    return suite.wait_for_pictures()


def encoded(suite: Suite) -> int:
    display = suite.health().display
    assert display is not None
    return display.encoded


def test_pictures_are_encoded_while_nobody_looks(suite: Suite) -> None:
    measured("first picture after start", f"{suite.since_start_s:.1f} s")
    before = encoded(suite)
    frames = suite.health().cameras[0].frames
    eventually(lambda: suite.health().cameras[0].frames >= frames + 20, "20 more frames of the camera")
    assert encoded(suite) == before == 0


def test_page_shows_no_moving_annotated_picture(suite: Suite, chromium: Browser, camera: Camera) -> None:
    opened = time.time()
    with viewing(chromium, suite.page) as viewer:
        viewer.wait_for_chip("camera_node", "LIVE")
        measured(
            "page: first picture after opening", f"{viewer.first_draw_since(opened, 'camera_node') - opened:.1f} s"
        )
        shown = eventually(
            lambda: tile if (tile := viewer.look()["camera_node"])["red"] > 100 else None,
            "a box of the display's red around a person",
        )
        assert (shown["width"], shown["height"]) == (768, 576)
        eventually(lambda: viewer.look()["camera_node"]["sum"] != shown["sum"], "another picture than the one before")
        assert_label_is_drawn(viewer)
        eventually(lambda: encoded(suite) > 0, "the display counts what it encodes")
        figures = viewer.page.locator(".tile .figures")
        eventually(lambda: "fps" in (figures.text_content() or ""), "frames per second on the tile")
        eventually(lambda: "ms" in (figures.text_content() or ""), "the delay on the tile")
        assert camera.password not in viewer.page.content()

        health = eventually(
            lambda: found if settled(found := suite.status_json()) else None,
            f"rate and latency of what the page shows, the camera at its rate: {suite.status_json()}",
        )
        (seen,), (output,), (application,) = health["cameras"], health["outputs"], health["applications"]
        assert (seen["state"], seen["codec"], seen["width"], seen["height"]) == ("live", "H.264", 768, 576)
        assert seen["last_frame_age_s"] < 10.0
        assert (output["state"], output["viewers"]) == ("live", 1)
        assert output["fps"] > 2.0
        assert 0 < output["latency_ms"] < 5000
        assert (application["state"], application["sandbox"], application["restarts"]) == ("running", "bubblewrap", 0)
        assert health["models"][0]["latency_ms"] > 0
        assert health["summary"]["problems"] == 0, health["problems"]
        measured("camera / output / screen", f"{seen['fps']:.1f} / {output['fps']:.1f} / {output['shown_fps']:.1f} fps")
        measured("capture to drawn on screen, p95", f"{output['latency_ms']:.0f} ms")
    assert suite.status().returncode == 0


def settled(health: dict[str, Any]) -> bool:
    """Tell whether the page's figures are there, and the camera delivers as many pictures a second as it has."""
    (camera,), (output,) = health["cameras"], health["outputs"]
    return set(output) >= SHOWN and abs((camera.get("fps") or 0.0) - 10.0) < 3.0


def assert_label_is_drawn(viewer: Viewer) -> None:
    """The label "people: N" is at (0.02, 0.06): with overlays off these dots are the camera's own."""
    look = """() => {
      const canvas = document.querySelector(".tile canvas");
      const dots = canvas.getContext("2d").getImageData(10, 15, 120, 22).data;
      let light = 0;
      for (let i = 0; i < dots.length; i += 4) light += dots[i] > 225 && dots[i + 1] > 225 && dots[i + 2] > 225;
      return light;
    }"""
    with_label = eventually(lambda: viewer.page.evaluate(look), "light letters where the label is")
    viewer.page.click("#overlays")
    eventually(lambda: viewer.page.evaluate(look) < with_label / 2, "no letters with overlays off")
    assert viewer.look()["camera_node"]["red"] < 100
    viewer.page.click("#overlays")


def test_encoding_goes_on_when_the_last_viewer_has_left(suite: Suite) -> None:
    eventually(lambda: getattr(suite.health().display, "viewers", None) == 0, "nobody looks")

    def at_rest() -> bool:
        before = encoded(suite)  # one picture may still be in the encoder's hands
        wait(2.5)
        return encoded(suite) == before

    eventually(at_rest, "nothing is encoded any more")


def test_password_is_found_outside_the_secrets_file(suite: Suite, camera: Camera) -> None:
    planted = camera.password.encode()
    for process in [psutil.Process(suite.process.pid), *suite.tree()]:
        command, environ = Path(f"/proc/{process.pid}/cmdline"), Path(f"/proc/{process.pid}/environ")
        assert planted not in command.read_bytes()
        assert planted not in environ.read_bytes()
    assert planted not in suite.status("--json").stdout.encode()
    assert planted not in suite.status().stdout.encode()
    assert "DEBUG" in "".join(suite.logs().values()), "the logs are not those of the level that was asked for"
    holding = {path for folder in (suite.root, suite.runtime) for path in files_with(folder, planted)}
    assert holding == {suite.folder / "secrets.json"}
    assert (suite.folder / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_password_or_traceback_is_left_after_the_end(suite: Suite, camera: Camera) -> None:
    logs = suite.logs()
    root, runtime = suite.root, suite.runtime
    took = suite.interrupt()
    measured("Ctrl-C until everything is gone (viewed suite)", f"{took:.1f} s")
    assert suite.process.returncode == 0, suite.talk
    assert took < AT_MOST_S
    assert suite.leftovers.found() == []
    assert not [path for folder in (root, runtime) for path in files_with(folder, camera.password.encode())]
    after = {path.stem: path.read_text(errors="replace") for path in (root / "logs").glob("*.log")}
    assert set(after) >= set(logs) - {"vedette"}
    for component, text in {**after, "vedette": suite.talk}.items():
        assert "Traceback" not in text, f"log of {component}"
        # An end that was asked for is no failure of anybody.
        assert not [line for line in text.splitlines() if " ERROR " in line], f"log of {component}"


def files_with(folder: Path, needle: bytes) -> list[Path]:
    """Return the files below ``folder`` that hold ``needle``."""
    paths = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return [path for path in paths if path.is_file() and not path.is_symlink() and needle in path.read_bytes()]
