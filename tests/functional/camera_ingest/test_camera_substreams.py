"""A camera with a small stream for applications and a main one on demand."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vedette.messages import CameraSource, CameraState, CameraStatus, MainStreamStatus
from vedette.rings import RingReader, connect
from vedette.rtsp_server import RtspServer

from .camera_clips import write_clip
from .conftest import PASSWORD, USER, Stand, take
from .one_session import one_session_camera

SMALL = (320, 180)
MAIN = (1280, 720)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    here = Stand(tmp_path, linger_s=0.5)
    try:
        yield here
    finally:
        here.close()


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("streams")
    return {
        "main": write_clip(folder / "main.mp4", width=MAIN[0], height=MAIN[1]),
        "sub": write_clip(folder / "sub.mp4", width=SMALL[0], height=SMALL[1]),
    }


@pytest.fixture
def camera(streams: dict[str, Path]) -> Iterator[RtspServer]:
    with RtspServer(dict(streams), USER, PASSWORD) as running:
        yield running


def known_to(stand: Stand, camera: RtspServer, **more: str) -> CameraSource:
    """Return the camera as a deployment names it: both addresses and the login are in one secret."""
    secret = {
        "Username": USER, "Password": PASSWORD, "StreamUrl": camera.url("main"), "SubStreamUrl": camera.url("sub"),
    }  # fmt: skip
    stand.bus.secrets["vedette/camera/yard"] = json.dumps({**secret, **more})
    return CameraSource(name="yard", secret="vedette/camera/yard", sub="")


def main_of(status: CameraStatus) -> MainStreamStatus:
    assert status.main is not None
    return status.main


def sizes(reader: RingReader, count: int = 5) -> set[tuple[int, int]]:
    return {(lease.header.width, lease.header.height) for lease in take(reader, count)}


def test_the_main_stream_is_open_only_while_somebody_looks(stand: Stand, camera: RtspServer) -> None:
    source = known_to(stand, camera)
    stand.want(source)
    status = stand.wait_for_state(CameraState.LIVE)
    assert (status.width, status.height) == SMALL
    assert status.stream == "sub"
    assert main_of(status).state is CameraState.PAUSED
    assert main_of(status).socket is None
    reader = stand.reader()
    assert sizes(reader) == {SMALL}

    stand.look_at(source)
    status = stand.wait_for(lambda status: main_of(status).state is CameraState.LIVE)
    assert main_of(status).wanted_for == ["page"]
    assert status.users == ["app"]
    assert main_of(status).socket
    main_reader = RingReader(connect(main_of(status).socket or "", 2.0), 1)
    assert sizes(main_reader) == {MAIN}
    assert sizes(reader) == {SMALL}, "applications go on with the small stream"
    main_reader.close()

    stand.forget()
    stand.look_away(source)
    status = stand.wait_for(lambda status: main_of(status).state is CameraState.PAUSED)
    assert main_of(status).opened == 1
    assert status.state is CameraState.LIVE
    assert sizes(reader) == {SMALL}
    reader.close()


def test_who_looks_at_a_camera_that_no_application_wants_opens_its_main_stream_alone(
    stand: Stand, camera: RtspServer
) -> None:
    source = known_to(stand, camera)
    stand.look_at(source)
    status = stand.wait_for(lambda status: main_of(status).state is CameraState.LIVE)
    assert status.state is CameraState.PAUSED
    assert status.socket is None


def test_a_main_stream_that_cannot_be_opened_costs_applications_nothing(stand: Stand, camera: RtspServer) -> None:
    source = known_to(stand, camera, StreamUrl=camera.url("gone"))
    stand.want(source)
    stand.look_at(source)
    status = stand.wait_for(
        lambda status: main_of(status).state is CameraState.NOT_FOUND and status.state is CameraState.LIVE
    )
    assert "/gone" in main_of(status).detail
    reader = stand.reader()
    assert sizes(reader, 20) == {SMALL}
    reader.close()


def test_a_small_stream_that_is_missing_is_waited_for_unless_told_otherwise(stand: Stand, camera: RtspServer) -> None:
    source = known_to(stand, camera, SubStreamUrl=camera.url("gone"))
    stand.want(source)
    status = stand.wait_for(lambda status: status.state is CameraState.NOT_FOUND and status.next_try_s is not None)
    assert "/gone" in status.detail
    stand.forget()
    status = stand.wait_for(lambda status: status.reconnects or status.next_try_s)
    assert status.stream == "sub"
    assert not status.warning


def test_the_main_stream_takes_the_place_of_a_small_one_that_is_missing(stand: Stand, camera: RtspServer) -> None:
    source = known_to(stand, camera, SubStreamUrl=camera.url("gone")).model_copy(update={"sub_missing": "main"})
    stand.want(source)
    stand.look_at(source)
    status = stand.wait_for_state(CameraState.LIVE)
    assert (status.width, status.height) == MAIN
    assert status.stream == "main"
    assert "/gone" in status.warning
    # It is open already: nobody opens it a second time.
    stand.forget()
    stand.wait_for(lambda status: status.state is CameraState.LIVE)
    assert {main_of(status).state for status in stand.heard} <= {CameraState.PAUSED, CameraState.LIVE}
    stand.wait_for(lambda status: main_of(status).state is CameraState.PAUSED)


def test_a_refused_login_is_not_tried_by_both_streams(stand: Stand, camera: RtspServer) -> None:
    source = known_to(stand, camera, Password="wrong")
    stand.want(source)
    stand.wait_for_state(CameraState.WRONG_PASSWORD)
    stand.look_at(source)
    status = stand.wait_for(lambda status: main_of(status).detail)
    assert main_of(status).detail == "Not opened while the camera refuses the login"
    assert main_of(status).opened == 0


def test_a_camera_that_refuses_a_second_session_keeps_the_first(stand: Stand, camera: RtspServer) -> None:
    with one_session_camera(camera.port, newest_wins=False) as port:
        urls = {
            "StreamUrl": f"rtsp://127.0.0.1:{port}/main", "SubStreamUrl": f"rtsp://127.0.0.1:{port}/sub",
        }  # fmt: skip
        source = known_to(stand, camera, **urls)
        stand.want(source)
        stand.wait_for_state(CameraState.LIVE)
        stand.look_at(source)
        status = stand.wait_for(lambda status: main_of(status).state is CameraState.BUSY)
        assert status.state is CameraState.LIVE
        assert "453" in main_of(status).detail


@pytest.mark.skipif("VEDETTE_TEST_SUBSTREAMS" not in os.environ, reason="takes long; VEDETTE_TEST_SUBSTREAMS=1")
def test_a_camera_that_ends_the_small_stream_for_the_main_one_is_left_alone(stand: Stand, camera: RtspServer) -> None:
    with one_session_camera(camera.port, newest_wins=True) as port:
        urls = {
            "StreamUrl": f"rtsp://127.0.0.1:{port}/main", "SubStreamUrl": f"rtsp://127.0.0.1:{port}/sub",
        }  # fmt: skip
        source = known_to(stand, camera, **urls)
        stand.want(source)
        stand.wait_for_state(CameraState.LIVE)
        stand.look_at(source)
        status = stand.wait_for(lambda status: "one session only" in main_of(status).detail)
        assert main_of(status).socket is None
        stand.forget()
        stand.wait_for_state(CameraState.LIVE)
        reader = stand.reader()
        assert sizes(reader, 30) == {SMALL}
        reader.close()
