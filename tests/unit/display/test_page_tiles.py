"""Tiles: which there are, and which of several causes each one tells."""

from typing import Any

import pytest
from vedette_display.tiles import Tile, tiles_of

from vedette.health import HealthBook
from vedette.messages import ApplicationStatus, CameraStatus, ModelStatus, OutputStatus

NOW = 1_000_000.0


class Device:
    """Statuses said once, at a standstill."""

    def __init__(self) -> None:
        self.book = HealthBook(monotonic=lambda: 5.0, wall=lambda: NOW)

    def camera(self, name: str = "lobby", state: str = "live", **more: Any) -> None:
        fields = {"camera_id": f"{name}-00000000", "name": name, "state": state, "since": NOW, **more}
        self.book.apply(CameraStatus.topic(name), CameraStatus.model_validate(fields).encode())

    def model(self, state: str = "ready") -> None:
        fields = {"model_id": "m", "name": "PPE_V2", "state": state, "since": NOW - 14}
        self.book.apply(ModelStatus.topic("m"), ModelStatus.model_validate(fields).encode())

    def application(self, *cameras: str, instance: str = "counter", state: str = "running", **more: Any) -> None:
        ids = [f"{camera}-00000000" for camera in cameras]
        fields = {"instance": instance, "application": "a", "state": state, "since": NOW - 5, "cameras": {"in": ids},
                  "models": {"model_node": "m"}, **more}  # fmt: skip
        self.book.apply(ApplicationStatus.topic(instance), ApplicationStatus.model_validate(fields).encode())

    def output(
        self, camera: str = "lobby", *, instance: str = "counter", port: str = "video_out", age_s: float = 0.1
    ) -> None:
        fields = {"output_id": f"{instance}.{port}.{camera}", "instance": instance, "application": "a", "node": "hdmi",
                  "port": port, "stream": camera, "camera_id": f"{camera}-00000000", "socket": "/s", "since": NOW,
                  "fps": 15.0, "last_frame_at": NOW - age_s}  # fmt: skip
        topic = OutputStatus.topic(f"{instance}.{port}.{camera}")
        self.book.apply(topic, OutputStatus.model_validate(fields).encode())

    def tiles(self) -> list[Tile]:
        return tiles_of(self.book.document())


@pytest.fixture
def device() -> Device:
    return Device()


def test_healthy_output_has_trouble(device: Device) -> None:
    device.camera()
    device.model()
    device.application("lobby")
    device.output()
    assert [(t.id, t.severity.value, t.output_id) for t in device.tiles()] == [
        ("counter/lobby", "ok", "counter.video_out.lobby")
    ]


def test_tile_is_another_one_once_its_first_picture_comes(device: Device) -> None:
    device.camera()
    device.model()
    device.application("lobby")
    waiting = device.tiles()
    assert [(t.title, t.output_id) for t in waiting] == [("Waiting for the first picture", None)]
    device.output()
    assert [t.id for t in device.tiles()] == [t.id for t in waiting]


@pytest.mark.parametrize(
    ("camera", "model", "application", "age_s", "kind", "title"),
    [
        ("wrong-password", "failed", "crashed", 60.0, "camera", "Wrong user name or password"),
        ("live", "loading", "waiting", 60.0, "model", "Loading model PPE_V2"),
        ("live", "loading", "crashed", 60.0, "application", "counter crashed"),
        ("live", "ready", "held-back", 60.0, "application", "counter keeps crashing"),
        ("live", "ready", "running", 60.0, "output", "No new picture for 60 s"),
        ("paused", "ready", "running", 60.0, "camera", "Paused"),
    ],
)
def test_tile_tells_a_consequence(
    device: Device, camera: str, model: str, application: str, age_s: float, kind: str, title: str
) -> None:
    device.camera(state=camera)
    device.model(model)
    device.application("lobby", state=application)
    device.output(age_s=age_s)
    tile = device.tiles()[0]
    assert (tile.kind, tile.title) == (kind, title)
    assert tile.picture_age_s == age_s


def test_camera_paused_for_one_application_is_called_broken(device: Device) -> None:
    """The other application goes on with it, so that the camera itself is live."""
    device.camera()
    device.model()
    device.application("lobby")
    device.application("lobby", instance="shop", paused=["lobby-00000000"])
    device.output()
    device.output(instance="shop", age_s=60.0)
    assert [(t.instance, t.title, t.detail) for t in device.tiles()] == [
        ("counter", "Live", ""),
        ("shop", "Paused", "shop gets no pictures of lobby until it is resumed"),
    ]
    assert device.book.document().problems == []
    device.application("lobby", instance="shop", paused=["lobby-00000000"], state="crashed")
    assert device.tiles()[1].title == "shop crashed"


def test_camera_with_a_wrong_password_has_no_tile_beside_a_good_one(device: Device) -> None:
    device.camera("lobby")
    device.camera("dock", "wrong-password")
    device.model()
    device.application("lobby", "dock")
    device.output("lobby")
    assert [(t.name, t.title) for t in device.tiles()] == [
        ("dock", "Wrong user name or password"),
        ("lobby", "Live"),
    ]


def test_camera_that_goes_into_another_output_is_awaited_for_ever(device: Device) -> None:
    """An application may put two cameras together into one output."""
    device.camera("lobby")
    device.camera("gate")
    device.model()
    device.application("lobby", "gate")
    device.output("lobby")
    assert [t.name for t in device.tiles()] == ["lobby"]


def test_application_without_cameras_has_no_tile(device: Device) -> None:
    device.application(state="preparing", models={})
    assert [(t.id, t.title) for t in device.tiles()] == [("counter", "Installing requirements, 5 s")]


def test_two_ports_with_one_stream_are_one_tile(device: Device) -> None:
    device.camera()
    device.model()
    device.application("lobby")
    device.output(port="video_out")
    device.output(port="second")
    assert len({t.id for t in device.tiles()}) == 2


def test_broken_camera_without_an_application_is_not_shown(device: Device) -> None:
    device.camera("yard", "refused")
    device.camera("idle", "live")
    assert [(t.id, t.kind) for t in device.tiles()] == [("camera/yard", "camera")]
