"""Video4Linux: what a driver answers, and which of its modes is taken."""

import errno
import struct
from pathlib import Path
from typing import ClassVar

import pytest

from vedette.video_devices import DeviceAddress, Mode, choose, find_devices, is_device, parse_address

_CAPTURE, _METADATA, _STREAMING, _OWN = 0x1, 0x00800000, 0x04000000, 0x80000000


def code(letters: str) -> int:
    return int.from_bytes(letters.encode(), "little")


class Driver:
    """A webcam as the driver uvcvideo shows it: its pictures and, as a second device, their metadata."""

    SIZES: ClassVar[dict[str, list[tuple[int, int, tuple[int, ...]]]]] = {
        "YUYV": [(640, 480, (30, 15)), (1920, 1080, (5,))],
        "MJPG": [(1920, 1080, (30,))],
        "XXXX": [(8, 8, (1,))],
    }

    def __init__(self, capabilities: int) -> None:
        self.capabilities = capabilities

    def __call__(self, _descriptor: int, request: int, data: bytes) -> bytes:
        number = request & 0xFF
        if number == 0:
            return struct.pack(
                "=16s32s32s6I", b"uvcvideo", b"Acme Cam", b"usb-1.2", 0, _OWN, self.capabilities, 0, 0, 0
            )
        index, *rest = struct.unpack_from("=4I", data)
        try:
            if number == 2:
                letters = list(self.SIZES)[index]
                return struct.pack("=3I32s5I", index, 1, 0, b"", code(letters), 0, 0, 0, 0)
            letters = struct.pack("=I", rest[0]).decode()
            if number == 74:
                width, height, _ = self.SIZES[letters][index]
                return struct.pack("=11I", index, rest[0], 1, width, height, *[0] * 6)
            rates = next(rates for w, h, rates in self.SIZES[letters] if (w, h) == tuple(rest[1:3]))
            return struct.pack("=13I", index, *rest, 1, 1, rates[index], *[0] * 6)
        except IndexError:
            raise OSError(errno.EINVAL, "Invalid argument") from None


def test_a_webcam_is_listed_twice_or_by_a_name_that_changes(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"video{number}").touch()
    (tmp_path / "v4l" / "by-id").mkdir(parents=True)
    lasting = tmp_path / "v4l" / "by-id" / "usb-Acme_Cam-video-index0"
    lasting.symlink_to(tmp_path / "video0")
    kinds = iter([Driver(_CAPTURE | _STREAMING), Driver(_METADATA | _STREAMING)])
    now: list[Driver] = []

    def ask(descriptor: int, request: int, data: bytes) -> bytes:
        if request & 0xFF == 0:
            now[:] = [next(kinds)]
        return now[0](descriptor, request, data)

    (camera,) = find_devices(tmp_path, ask)
    assert (camera.path, camera.node, camera.name) == (lasting, tmp_path / "video0", "Acme Cam")
    assert camera.modes == (
        Mode("YUYV", "yuyv422", 640, 480, 30.0),
        Mode("YUYV", "yuyv422", 1920, 1080, 5.0),
        Mode("MJPEG", "mjpeg", 1920, 1080, 30.0),
    )
    assert choose(camera.modes, DeviceAddress(camera.path)) == camera.modes[2], "5 pictures a second do not flow"


def test_a_codec_that_never_ends_its_list_hangs_the_search(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()

    class Endless(Driver):
        def __call__(self, descriptor: int, request: int, data: bytes) -> bytes:
            return super().__call__(descriptor, request, data[:0] + struct.pack("=I", 0) + data[4:])

    assert len(find_devices(tmp_path, Endless(_CAPTURE))) == 1
    assert find_devices(tmp_path, Driver(0x8000 | _STREAMING)) == [], "memory to memory"


@pytest.mark.parametrize(
    ("address", "yes"),
    [("/dev/video0", True), ("/dev/v4l/by-id/usb-x", True), ("/dev/shm/film.mp4", False), ("video0", False)],
)
def test_a_file_is_taken_for_a_camera(address: str, yes: bool) -> None:
    assert is_device(address) is yes


def test_wishes_are_lost() -> None:
    asked = parse_address("/dev/video2?size=1280x720&fps=7.5&format=MJPEG")
    assert asked == DeviceAddress(Path("/dev/video2"), 1280, 720, 7.5, "MJPEG")


def test_a_camera_that_is_fast_or_grey_costs_more_than_it_gives() -> None:
    grey, color = Mode("grey", "gray", 1280, 720, 120.0), Mode("YUYV", "yuyv422", 1280, 720, 120.0)
    taken = choose([grey, color], DeviceAddress(Path("/dev/video0")))
    assert taken == Mode("YUYV", "yuyv422", 1280, 720, 30.0)
    faster = choose([grey, color], DeviceAddress(Path("/dev/video0"), fps=90.0))
    assert faster is not None
    assert faster.fps == 90.0
