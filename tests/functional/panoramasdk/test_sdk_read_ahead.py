"""A file that is read as fast as the application goes: its next picture is fetched before it is asked for."""

import threading
import time
from typing import Any

import panoramasdk
import pytest
from vedette_app_runtime import protocol

from .conftest import Camera, Host


@pytest.fixture
def file(host: Host) -> tuple[Any, Camera]:
    """A node, and the file on its video_in."""
    host.add_cameras("file")
    host.attach()
    return panoramasdk.node(), host.connect_camera(0, ahead=True)


def feed(camera: Camera, last: int) -> threading.Thread:
    """Publish the frames 1 to ``last`` as CameraIngest does with a file: the next one when the newest is taken."""

    def publish() -> None:
        for number in range(1, last + 1):
            assert camera.writer.wait_for_taken(20)
            camera.show(number)

    thread = threading.Thread(target=publish)
    thread.start()
    return thread


@pytest.mark.parametrize("looks", [True, False], ids=["looks at images", "passes frames on"])
def test_a_frame_of_a_file_is_passed_over_or_comes_twice(file: tuple[Any, Camera], looks: bool) -> None:
    node, camera = file
    feeding = feed(camera, 30)
    kept = []
    for number in range(1, 31):
        [media] = node.inputs.video_in.get(timeout=20)
        assert (media.time_stamp[0], media.is_cached) == (number, False)
        if looks:
            kept.append(media.image)
        node.outputs.video_out.put([media])
    feeding.join(20)
    # What was kept is still the picture it was: each frame is of a grey of its own.
    assert [len(set(image.reshape(-1).tolist())) for image in kept] == [1] * len(kept)
    assert len({int(image[0, 0, 0]) for image in kept}) == len(kept)


def test_a_picture_that_comes_late_wakes_nobody(file: tuple[Any, Camera]) -> None:
    node, camera = file
    camera.writer.wait_for_reader(20)
    threading.Timer(0.3, lambda: camera.show(1)).start()
    [media] = node.inputs.video_in.get(timeout=20)
    assert media.time_stamp[0] == 1
    with pytest.raises(panoramasdk.TimeoutException):
        node.inputs.video_in.get(timeout=0.1)


def test_the_end_of_the_ring_is_not_told(file: tuple[Any, Camera], host: Host) -> None:
    node, camera = file
    camera.show(1)
    assert node.inputs.video_in.get(timeout=20)[0].time_stamp[0] == 1
    camera.writer.close()
    with pytest.raises(panoramasdk.TimeoutException):
        node.inputs.video_in.get(timeout=1)
    host.said(lambda packet: packet == protocol.CameraLost(0), timeout_s=20)
    # A new connection goes on where the host leads it.
    again = host.connect_camera(0, ahead=True)
    again.show(7)
    assert node.inputs.video_in.get(timeout=20)[0].time_stamp[0] == 7


def test_a_paused_file_is_read_on(file: tuple[Any, Camera], host: Host) -> None:
    node, camera = file
    camera.show(1)
    assert node.inputs.video_in.get(timeout=20)[0].time_stamp[0] == 1
    host.send(protocol.CameraState(0, paused=True, detail="paused", uri=""))
    with pytest.raises(panoramasdk.TimeoutException):
        node.inputs.video_in.get(timeout=0.3)
    deadline = time.monotonic() + 20
    while camera.writer.readers and time.monotonic() < deadline:
        pass
    assert camera.writer.readers == 0
