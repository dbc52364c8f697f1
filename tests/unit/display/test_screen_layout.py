"""Tiles on the screen, whose it is, and what it says without pictures."""

import logging
from typing import Any

import pytest
from vedette_display.screen.layout import Box, fit, tiles
from vedette_display.screen.ownership import Ownership
from vedette_display.screen.scene import Scene
from vedette_display.screen.staging import stage

from vedette.health import HealthBook, HealthDocument
from vedette.messages import ApplicationState, ApplicationStatus, DeploymentState, DeploymentStatus, OutputStatus

NOW = 1000.0


def document(*applications: tuple[str, ApplicationState, float], outputs: tuple[str, ...] = ()) -> HealthDocument:
    book = HealthBook(wall=lambda: NOW)
    for instance, state, age_s in applications:
        status: dict[str, Any] = {
            "instance": instance, "application": instance, "state": state, "since": NOW - age_s,
            "outputs": [f"{instance}.out.cam"] if instance in outputs else [],
        }  # fmt: skip
        book.apply(ApplicationStatus.topic(instance), ApplicationStatus.model_validate(status).encode())
    for instance in outputs:
        output = {
            "output_id": f"{instance}.out.cam", "instance": instance, "application": instance, "node": "hdmi",
            "port": "out", "stream": "cam", "socket": "/s", "since": NOW, "last_frame_at": NOW,
        }  # fmt: skip
        book.apply(OutputStatus.topic(str(output["output_id"])), OutputStatus.model_validate(output).encode())
    return book.document()


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (8, 3, 3), (9, 3, 3)]
)
def test_tile_is_lost_or_overlaps(count: int, columns: int, rows: int) -> None:
    boxes = tiles(count, 1920, 1080)
    assert len(boxes) == count
    for box in boxes:
        assert 0 <= box.x <= box.x + box.width <= 1920
        assert 0 <= box.y <= box.y + box.height <= 1080
        assert box.width >= 1920 // columns
        assert box.height >= 1080 // rows
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_tall_screen_gets_a_row_of_slivers() -> None:
    assert [box.y for box in tiles(3, 1080, 1920)] == [0, 640, 1280]


def test_picture_is_stretched() -> None:
    assert fit(Box(0, 0, 1920, 1080), 640, 640) == Box(420, 0, 1080, 1080)
    assert fit(Box(100, 0, 100, 100), 0, 0) == Box(100, 0, 100, 100)


def test_screen_does_not_go_to_the_one_started_last_or_back() -> None:
    running = ApplicationState.RUNNING
    ownership = Ownership()
    one, two = ("one", running, 50.0), ("two", running, 5.0)
    assert ownership.update(document(two, one, outputs=("one", "two"))) == "two", "who runs longer came before"
    three = ("three", running, 900.0)
    assert ownership.update(document(one, two, three, outputs=("one", "two", "three"))) == "three"
    crashed = ("three", ApplicationState.CRASHED, 1.0)
    assert ownership.update(document(one, two, crashed, outputs=("one", "two", "three"))) == "three"
    stopped = ("three", ApplicationState.STOPPED, 1.0)
    assert ownership.update(document(one, two, stopped, outputs=("one", "two", "three"))) == "two"
    assert ownership.update(document(one, outputs=("one",))) == "one"
    assert ownership.update(document()) == ""


def test_the_log_does_not_tell_whose_the_screen_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ownership = Ownership()
    running = ApplicationState.RUNNING
    for _ in range(3):
        ownership.update(document(("one", running, 50.0), outputs=("one",)))
    ownership.update(document(("one", running, 50.0), ("two", running, 1.0), outputs=("one", "two")))
    told = [(getattr(record, "about", ""), record.message) for record in caplog.records]
    assert told == [
        ("output:one.", "the screen goes from nobody to one"),
        ("output:one.", "the screen goes from one to two"),
        ("output:two.", "the screen goes from one to two"),
    ]


def test_application_without_an_output_gets_the_screen() -> None:
    ownership = Ownership()
    found = document(
        ("one", ApplicationState.RUNNING, 50.0), ("blind", ApplicationState.RUNNING, 1.0), outputs=("one",)
    )
    assert ownership.update(found) == "one"
    assert Ownership("blind").update(found) == "blind", "unless it is named"


def test_screen_does_not_say_what_it_waits_for() -> None:
    def said(*given: tuple[str, ApplicationState, float]) -> tuple[str, str]:
        scene = stage(document(*given), "", "bench-1", lambda _: None)
        return scene.title, scene.detail

    assert said()[0] == "No application runs here"
    assert said(("one", ApplicationState.PREPARING, 34.0))[0] == "Installing requirements, 34 s"
    assert said(("blind", ApplicationState.RUNNING, 900.0)) == ("No picture", "No application here puts pictures out")


def test_screen_does_not_say_that_the_device_is_updated() -> None:
    def scene(state: DeploymentState, *, picture: bool) -> Scene:
        book = HealthBook(wall=lambda: NOW)
        update = DeploymentStatus(deployment_id="d", name="shops", state=state, since=NOW - 12)
        book.apply(DeploymentStatus.topic(), update.encode())
        known = book.document()
        if picture:
            running = document(("one", ApplicationState.RUNNING, 50.0), outputs=("one",))
            known = running.model_copy(update={"deployment": known.deployment})
        return stage(known, "one", "bench-1", lambda _: None)

    said = scene(DeploymentState.IN_PROGRESS, picture=False)
    assert (said.title, said.detail) == ("Updating this device", "shops, 12 s so far")
    assert scene(DeploymentState.IN_PROGRESS, picture=True).notice == "Updating this device: shops, 12 s so far"
    assert scene(DeploymentState.FAILED, picture=True).notice == "The last update failed: shops"
    assert scene(DeploymentState.SUCCEEDED, picture=True).notice == ""
