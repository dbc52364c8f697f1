"""Local cameras: what libav is asked for, and what its refusals mean."""

import errno
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import pytest
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.video_device import VideoDevice

from vedette.messages import CameraState
from vedette.video_devices import Mode

NULL = "/dev/null"
SMALL = Mode("YUYV", "yuyv422", 640, 480, 30.0)
LARGE = Mode("MJPEG", "mjpeg", 1920, 1080, 30.0)


class Packet:
    def __init__(self, frame: str, pts: int | None = None) -> None:
        self.frame = frame
        self.pts = pts
        self.time_base = Fraction(1, 1_000_000)

    def decode(self) -> list[str]:
        if self.frame == "broken":
            raise av.InvalidDataError(1, "broken")
        return [self.frame]


class Container:
    def __init__(self, frames: list[str], then: Exception | None = None, pts: int | None = None) -> None:
        stream = SimpleNamespace(codec_context=SimpleNamespace(name="mjpeg"))
        self.streams = SimpleNamespace(video=[stream])
        self.frames = frames
        self.then = then
        self.pts = pts

    def demux(self, stream: object) -> Iterator[Packet]:
        yield from (Packet(frame, self.pts) for frame in self.frames)
        if self.then:
            raise self.then

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def played(opener: Any, readers: int = 1) -> tuple[list[str], CaptureError, list[str]]:
    shown: list[str] = []
    broken: list[str] = []
    ring: Any = SimpleNamespace(readers=readers)
    device = VideoDevice(
        NULL,
        ring,
        threading.Event(),
        failed_to_decode=lambda: broken.append("x"),
        opener=opener,
        modes=lambda _: (),
    )
    with pytest.raises(CaptureError) as caught:
        device.play(lambda frame, _wall, _mono: shown.append(frame))
    return shown, caught.value, broken


def test_device_is_opened_as_a_file() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def opener(path: str, **options: Any) -> Container:
        asked.append((path, options))
        return Container(["a", "broken", "b"])

    shown, error, broken = played(opener)
    assert asked == [("/dev/null", {"format": "v4l2", "options": {}})]
    assert (shown, broken) == (["a", "b"], ["x"])
    assert (error.state, "still plugged in" in error.detail) == (CameraState.LOST, True)


def test_frames_are_converted_though_nobody_reads() -> None:
    shown, _, _ = played(lambda *_, **__: Container(["a", "b", "c"]), readers=0)
    assert shown == ["a"]


def test_unplugged_camera_ends_in_a_foreign_error() -> None:
    gone = OSError(errno.ENODEV, "No such device")
    _, error, _ = played(lambda *_, **__: Container(["a"], gone))
    assert (error.state, error.detail) == (
        CameraState.LOST,
        "/dev/null delivers no more (No such device): is it still plugged in?",
    )


@pytest.mark.parametrize(
    ("number", "state", "words"),
    [
        (errno.EACCES, CameraState.FAILED, "group video"),
        (errno.EBUSY, CameraState.BUSY, "another program"),
        (errno.ENODEV, CameraState.NOT_FOUND, "plugged in"),
        (errno.EINVAL, CameraState.NO_VIDEO, "no camera (Invalid argument)"),
    ],
)
def test_refusals_are_mixed_up(number: int, state: CameraState, words: str) -> None:
    def opener(*_: object, **__: object) -> Container:
        raise OSError(number, "Invalid argument")

    _, error, _ = played(opener)
    assert error.state is state
    assert words in error.detail


def test_libav_opens_what_is_no_camera() -> None:
    with pytest.raises(CaptureError) as caught:
        VideoDevice(NULL, SimpleNamespace(readers=1), threading.Event()).play(lambda *_: None)  # type: ignore[arg-type]
    error = caught.value
    assert error.state is CameraState.NO_VIDEO
    assert "/dev/null is no camera" in error.detail


def opened(address: str) -> tuple[dict[str, Any], CaptureError]:
    """Return what libav was asked for, and how it ended."""
    asked: dict[str, Any] = {}

    def opener(_path: str, **options: Any) -> Container:
        asked.update(options)
        return Container(["a"])

    ring: Any = SimpleNamespace(readers=1)
    device = VideoDevice(address, ring, threading.Event(), opener=opener, modes=lambda _: (SMALL, LARGE))
    with pytest.raises(CaptureError) as caught:
        device.play(lambda *_: None)
    return asked.get("options", {}), caught.value


def test_a_camera_plays_in_the_mode_that_the_last_program_left() -> None:
    options, _ = opened("/dev/video0")
    assert options == {"video_size": "1920x1080", "input_format": "mjpeg", "framerate": "30"}


def test_the_wish_in_the_address_is_not_heard() -> None:
    options, _ = opened("/dev/video0?size=640x480&fps=10")
    assert options == {"video_size": "640x480", "input_format": "yuyv422", "framerate": "10"}


def test_a_wish_that_cannot_be_granted_gives_another_picture() -> None:
    options, error = opened("/dev/video0?size=800x600")
    assert (options, error.state) == ({}, CameraState.FAILED)
    assert "640x480 YUYV 30 fps; 1920x1080 MJPEG 30 fps" in error.detail
    assert "'speed=7'" in opened("/dev/video0?speed=7")[1].detail


@pytest.mark.parametrize("late_s", [0.25, 1000.0, -3.0])
def test_time_is_when_the_picture_was_fetched(late_s: float) -> None:
    times: list[tuple[int, int]] = []
    stamp = time.monotonic_ns() - int(late_s * 1e9)
    ring: Any = SimpleNamespace(readers=1)
    device = VideoDevice(
        NULL, ring, threading.Event(), opener=lambda *_, **__: Container(["a"], pts=stamp // 1000), modes=lambda _: ()
    )
    with pytest.raises(CaptureError):
        device.play(lambda _frame, wall, mono: times.append((wall, mono)))
    wall, mono = times[0]
    believed = late_s == 0.25
    assert (abs(mono - stamp) < 2000) is believed
    # A stamp that cannot be true is not believed; both clocks name the same moment.
    assert abs((time.time_ns() - wall) - (time.monotonic_ns() - mono)) < 50_000_000
