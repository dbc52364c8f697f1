"""Two cameras of different rates on one node of the graph, put there by an override document."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.waiting import eventually

from .cameras import Camera, slow_clip
from .report import measured
from .suite import AT_MOST_S, EXAMPLES, STREET, Suite
from .viewer import viewing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

OVERRIDE = EXAMPLES / "people-counter/graphs/people-counter/override.json"
CAMERAS = {"LOBBY": 10.0, "GATE": 3.0}
"""Camera of the override document -> frames a second."""


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    slow = slow_clip(STREET, tmp_path_factory.mktemp("clips") / "slow.mp4", fps=3, seconds=12)
    camera = Camera({"street": STREET, "slow": slow})
    with camera.server:
        yield camera


def test_override_leaves_a_camera_out(
    start_suite: Callable[..., Suite], people_counter: Path, camera: Camera, chromium: Browser
) -> None:
    suite = start_suite(
        "run", people_counter, "--override", OVERRIDE,
        "--camera", f"LOBBY={camera.url('street')}", "--camera", f"GATE={camera.url('slow')}",
        "--no-browser", "--port", "0",
    )  # fmt: skip
    suite.wait_for_pictures(outputs=2)
    with viewing(chromium, suite.page) as viewer:
        for name in CAMERAS:
            viewer.wait_for_chip(name, "LIVE")
        # Rates are of the last seconds; a server that is joined sends some pictures at once, ahead of their time.
        rates = eventually(
            lambda: found if all(near(found := rates_of(suite), name, fps) for name, fps in CAMERAS.items()) else None,
            f"the rates of both cameras: {rates_of(suite)}",
        )
        health = suite.status_json()
        measured("two cameras by override document", f"{rates} fps")
        (application,) = health["applications"]
        assert [camera_id.rpartition("-")[0] for camera_id in application["cameras"]["video_in"]] == ["LOBBY", "GATE"]
        threshold = {parameter["name"]: parameter for parameter in application["parameters"]}["threshold"]
        assert (threshold["value"], threshold["origin"]) == (55.0, "override")
        sizes = {output["stream"]: (output["width"], output["height"]) for output in health["outputs"]}
        assert sizes == {"LOBBY": (768, 576), "GATE": (640, 480)}
        looks = viewer.look()
        assert looks["LOBBY"]["sum"] != looks["GATE"]["sum"]
    assert suite.interrupt() < AT_MOST_S
    assert suite.leftovers.found() == []


def test_frame_of_the_slower_camera_is_taken_for_a_new_one(
    start_suite: Callable[..., Suite], recorder: Path, camera: Camera
) -> None:
    suite = start_suite(
        "run", recorder,
        "--camera", f"camera_node={camera.url('street')}", "--camera", f"camera_node={camera.url('slow')}",
        "--no-browser", "--port", "0",
    )  # fmt: skip
    suite.wait_for_pictures(outputs=2)
    (record,) = suite.root.rglob("rounds.jsonl")
    rounds = eventually(lambda: found if len(found := both(record)) >= 60 else None, "60 rounds with both cameras")
    suite.interrupt()

    assert {tuple(stream["stream"] for stream in streams) for streams in rounds} == {("camera_node", "camera_node-2")}
    assert not [streams for streams in rounds if all(stream["cached"] for stream in streams)]
    for number, shape in enumerate([[576, 768, 3], [480, 640, 3]]):
        of_camera = [streams[number] for streams in rounds]
        assert all(stream["shape"] == shape for stream in of_camera)
        for before, now in itertools.pairwise(of_camera):
            # A frame is cached exactly when it is the one of the round before.
            assert now["cached"] == (now["time_stamp"] == before["time_stamp"])
            assert now["time_stamp"] >= before["time_stamp"]
    cached = [sum(streams[number]["cached"] for streams in rounds) / len(rounds) for number in (0, 1)]
    measured("part of cached frames at 10 and 3 fps", ", ".join(f"{part:.0%}" for part in cached))
    # In about 13 rounds a second the slower camera has 3 new frames.
    assert cached[1] > 0.5 > cached[0]


def rates_of(suite: Suite) -> dict[str, float]:
    """Return the frames a second of each camera, 0 while there is no figure."""
    return {camera.name: camera.fps or 0.0 for camera in suite.health().cameras}


def near(rates: dict[str, float], name: str, fps: float) -> bool:
    return abs(rates.get(name, 0.0) - fps) < 0.15 * fps


def both(record: Path) -> list[list[dict[str, Any]]]:
    """Return the complete rounds written so far in which both cameras had a frame."""
    lines = record.read_text().split("\n")[:-1]
    return [streams for streams in map(json.loads, lines) if len(streams) == 2]
