"""Local cameras: what libav is asked for, and what its refusals mean."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.video_device import VideoDevice

from vedette.messages import CameraState

NULL = Path("/dev/null")


class Packet:
    def __init__(self, frame: str) -> None:
        self.frame = frame

    def decode(self) -> list[str]:
        if self.frame == "broken":
            raise av.InvalidDataError(1, "broken")
        return [self.frame]


class Container:
    def __init__(self, frames: list[str], then: Exception | None = None) -> None:
        stream = SimpleNamespace(codec_context=SimpleNamespace(name="mjpeg"))
        self.streams = SimpleNamespace(video=[stream])
        self.frames = frames
        self.then = then

    def demux(self, stream: object) -> Iterator[Packet]:
        yield from map(Packet, self.frames)
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
    device = VideoDevice(NULL, ring, threading.Event(), failed_to_decode=lambda: broken.append("x"), opener=opener)
    with pytest.raises(CaptureError) as caught:
        device.play(lambda frame, _wall, _mono: shown.append(frame))
    return shown, caught.value, broken


def test_device_is_opened_as_a_file() -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def opener(path: str, **options: str) -> Container:
        asked.append((path, options))
        return Container(["a", "broken", "b"])

    shown, error, broken = played(opener)
    assert asked == [("/dev/null", {"format": "v4l2"})]
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
    _, error, _ = played(av.open)
    assert error.state is CameraState.NO_VIDEO
    assert "/dev/null is no camera" in error.detail
