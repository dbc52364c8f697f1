"""Which stream of a camera is shown, and when the main one is asked for."""

import asyncio
from typing import Any

import pytest
from vedette_display import camera_views
from vedette_display.camera_views import PATIENCE_S, CameraViews, camera_of, view_of

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import CameraDemand, CameraSource, CameraState, CameraStatus

YARD = CameraSource(name="yard", url="rtsp://10.0.0.21/main", sub="rtsp://10.0.0.21/sub")
VIEW = view_of(YARD.camera_id)


class World:
    """What is known of the camera, and the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.main: dict[str, Any] | None = {"state": CameraState.PAUSED, "since": 0}
        self.more: dict[str, Any] = {"stream": "sub"}

    def camera(self, camera_id: str) -> CameraStatus | None:
        if camera_id != YARD.camera_id:
            return None
        status = {"camera_id": camera_id, "name": "yard", "state": CameraState.LIVE, "since": 0, "socket": "small"}
        return CameraStatus.model_validate({**status, **self.more, "main": self.main})

    def live(self) -> None:
        self.main = {"state": CameraState.LIVE, "since": 0, "socket": "large"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def views(world: World, broker: MemoryBroker) -> CameraViews:
    sources = {YARD.camera_id: YARD}
    return CameraViews(MemoryBus(broker, "vedette.Display"), world.camera, sources.get, lambda: world.now)


def test_an_output_is_taken_for_a_camera() -> None:
    assert camera_of(VIEW) == YARD.camera_id
    assert camera_of("counter.video_out.yard") is None


def test_who_looks_sees_nothing_until_the_main_stream_is_there(views: CameraViews, world: World) -> None:
    assert views.locate(VIEW) == "small"
    world.main = {"state": CameraState.CONNECTING, "since": 0, "socket": "large"}
    assert views.locate(VIEW) == "small"
    world.live()
    assert (views.locate(VIEW), views.stream(VIEW)) == ("large", "main")
    world.main = {"state": CameraState.LOST, "since": 0, "socket": "large"}
    assert (views.locate(VIEW), views.stream(VIEW)) == ("small", "sub")


def test_a_recording_begins_small_and_grows(views: CameraViews, world: World) -> None:
    assert views.locate_steadily(VIEW) is None
    world.now += PATIENCE_S - 0.1
    assert views.locate_steadily(VIEW) is None
    world.live()
    assert views.locate_steadily(VIEW) == "large"


def test_a_recording_waits_for_ever_for_a_main_stream_that_fails(views: CameraViews, world: World) -> None:
    world.main = {"state": CameraState.NOT_FOUND, "since": 0}
    assert views.locate_steadily(VIEW) is None
    world.now += PATIENCE_S + 0.1
    assert views.locate_steadily(VIEW) == "small"
    # AND one that comes later is taken, and its next loss is waited for anew
    world.live()
    assert views.locate_steadily(VIEW) == "large"
    world.main = {"state": CameraState.LOST, "since": 0}
    assert views.locate_steadily(VIEW) is None


@pytest.mark.parametrize("more", [{"stream": "main"}, {"stream": "sub"}])
def test_a_camera_with_one_stream_is_not_shown(views: CameraViews, world: World, more: dict[str, str]) -> None:
    world.more = more
    if more["stream"] == "sub":
        world.main = None
    assert (views.locate(VIEW), views.locate_steadily(VIEW), views.stream(VIEW)) == ("small", "small", "main")


@pytest.mark.parametrize("main", [{"state": CameraState.NOT_FOUND}, {"state": CameraState.PAUSED, "detail": "barred"}])
def test_a_snapshot_waits_for_what_has_failed(
    views: CameraViews, world: World, main: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_views, "READY_S", 1e9)
    world.main = {"since": 0, **main}
    asyncio.run(asyncio.wait_for(views.ready(VIEW), 20))


def test_a_demand_is_not_sent_withdrawn_or_sent_for_nobody(views: CameraViews, broker: MemoryBroker) -> None:
    with MemoryBus(broker, "probe") as probe:
        heard = probe.record(CameraDemand.topic("+"))

        def next_demand() -> tuple[str, bool, bool]:
            demand = CameraDemand.model_validate_json(heard.get(timeout=20)[1])
            assert demand.source == YARD
            return demand.node, demand.wanted, demand.main

        views.start()
        views.look("counter.video_out.yard", "page")()
        end, second = views.look(VIEW, "page"), views.look(VIEW, "page")
        assert next_demand() == ("page", True, True)
        end()
        end()
        assert next_demand() == ("page", True, True), "another one still looks"
        second()
        while (said := next_demand()) == ("page", True, True):
            pass
        assert said == ("page", False, True)
        third = views.look(VIEW, "clip")
        assert next_demand() == ("clip", True, True)
        views.stop()
        assert next_demand() == ("clip", False, True)
        third()
