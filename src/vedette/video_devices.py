"""Cameras that are devices of this machine (Video4Linux): which there are, and what each can deliver.

Asked of the drivers by ioctl (videodev2.h); nothing is opened for capture, so a camera in use answers as well.
"""

import contextlib
import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

_QUERYCAP: Final = 0x80685600
_ENUM_FMT: Final = 0xC0405602
_ENUM_FRAMESIZES: Final = 0xC02C564A
_ENUM_FRAMEINTERVALS: Final = 0xC034564B
_CAPTURE: Final = 1
_CAPTURE_PLANES: Final = 9
_CAP_CAPTURE: Final = 0x00000001
_CAP_CAPTURE_PLANES: Final = 0x00001000
_CAP_MEMORY_TO_MEMORY: Final = 0x00008000 | 0x00004000
_CAP_DEVICE: Final = 0x80000000
_DISCRETE: Final = 1
_MOST: Final = 64
_MOST_MODES: Final = 256
"""Entries of one list, and of all: a driver that never ends one is not believed."""

FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "YUYV": ("yuyv422", "YUYV"),
    "UYVY": ("uyvy422", "UYVY"),
    "NV12": ("nv12", "NV12"),
    "YU12": ("yuv420p", "I420"),
    "GREY": ("gray", "grey"),
    "RGB3": ("rgb24", "RGB"),
    "BGR3": ("bgr24", "BGR"),
    "MJPG": ("mjpeg", "MJPEG"),
    "JPEG": ("mjpeg", "MJPEG"),
    "H264": ("h264", "H.264"),
    "HEVC": ("hevc", "H.265"),
}
"""Video4Linux's four letters -> libav's name, ours. Others are passed over: nothing here decodes them."""
COMPRESSED: Final = ("MJPEG", "H.264", "H.265")
_FLUENT_FPS: Final = 14.9
_USUAL_FPS: Final = 30.0
_MOST_PIXELS: Final = 1920 * 1080


@dataclass(frozen=True)
class Mode:
    """One way in which a device delivers pictures."""

    pixel_format: str
    """A value of ``FORMATS``: its name here."""
    libav_format: str
    width: int
    height: int
    fps: float
    """The most at this size; 0 where the driver does not say."""


@dataclass(frozen=True)
class Device:
    """A camera of this machine."""

    path: Path
    """A name that stays (``/dev/v4l/by-id/...``) where there is one."""
    node: Path
    """``/dev/video0``."""
    name: str
    bus: str
    modes: tuple[Mode, ...]
    problem: str = ""
    """Why it could not be asked; empty when it answered."""


@dataclass(frozen=True)
class DeviceAddress:
    """``/dev/video0?size=1280x720&fps=15&format=mjpeg``: what is not said is chosen."""

    path: Path
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    pixel_format: str | None = None


class DeviceAddressError(Exception):
    """An address asks for something that is none, or that its device does not have."""


def is_device(address: str) -> bool:
    """Tell whether an address is a camera of this machine, plugged in or not."""
    return re.match(r"/dev/(video\d|v4l/)", address) is not None


def parse_address(address: str) -> DeviceAddress:
    """Read the address of a device.

    :raises DeviceAddressError: for a wish that is none
    """
    path, _, query = address.partition("?")
    found: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key == "size" and (match := re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", value)):
            found |= {"width": int(match[1]), "height": int(match[2])}
        elif key == "fps" and re.fullmatch(r"\d{1,3}(\.\d{1,3})?", value) and float(value) > 0:
            found["fps"] = float(value)
        elif key == "format" and value.upper() in {name.upper() for _, name in FORMATS.values()}:
            found["pixel_format"] = next(name for _, name in FORMATS.values() if name.upper() == value.upper())
        else:
            names = ", ".join(dict.fromkeys(name.lower() for _, name in FORMATS.values()))
            raise DeviceAddressError(
                f"{part[:40]!r} of the address {path[:80]} is no wish: size=1280x720, fps=15 and format=mjpeg are"
                f" (formats: {names})"
            )
    return DeviceAddress(Path(path), **found)


def choose(modes: Sequence[Mode], wanted: DeviceAddress) -> Mode | None:
    """Return the mode that suits, None where the device offers no choice and none was asked for.

    Of what is not asked for: the largest picture up to 1920x1080 that comes at 15 a second or more (applications get no
    larger ones), then colours, then the highest rate up to 30, then uncompressed: what is compressed has to be decoded.

    :raises DeviceAddressError: when the device has none of the kind
    """
    asked = (wanted.width, wanted.fps, wanted.pixel_format) != (None, None, None)
    fitting = [
        mode
        for mode in modes
        if (wanted.width is None or (mode.width, mode.height) == (wanted.width, wanted.height))
        and (wanted.fps is None or mode.fps >= wanted.fps - 0.5 or mode.fps == 0)
        and (wanted.pixel_format is None or mode.pixel_format == wanted.pixel_format)
    ]
    if not fitting:
        if asked:
            offered = "; ".join(dict.fromkeys(map(describe, modes))) or "nothing"
            raise DeviceAddressError(f"does not deliver what its address asks for; it offers: {offered[:400]}")
        return None

    def rank(mode: Mode) -> tuple[bool, int, bool, float, bool]:
        fluent = mode.fps >= _FLUENT_FPS or mode.fps == 0
        small = mode.width * mode.height <= _MOST_PIXELS
        area = mode.width * mode.height
        plain = mode.pixel_format not in COMPRESSED
        return fluent and small, area if small else -area, mode.pixel_format != "grey", min(mode.fps, _USUAL_FPS), plain

    best = max(fitting, key=rank)
    return replace(best, fps=min(best.fps, _USUAL_FPS) if wanted.fps is None else wanted.fps)


def libav_options(mode: Mode | None) -> dict[str, str]:
    """Return what libav's input ``v4l2`` is told to get ``mode``."""
    if mode is None:
        return {}
    options = {"video_size": f"{mode.width}x{mode.height}", "input_format": mode.libav_format}
    return {**options, "framerate": f"{mode.fps:g}"} if mode.fps else options


def describe(mode: Mode) -> str:
    """Return a mode in words: ``1280x720 MJPEG 30 fps``."""
    return f"{mode.width}x{mode.height} {mode.pixel_format}" + (f" {mode.fps:g} fps" if mode.fps else "")


Ask = Callable[[int, int, bytes], bytes]
"""ioctl: descriptor, request, the structure; returns the structure as answered. Raises OSError."""


def _ioctl(descriptor: int, request: int, data: bytes) -> bytes:
    buffer = bytearray(data)
    fcntl.ioctl(descriptor, request, buffer)
    return bytes(buffer)


def find_devices(dev: Path = Path("/dev"), ask: Ask = _ioctl) -> list[Device]:
    """Return the cameras below ``dev`` in the order of their numbers; devices that are none are left out."""
    nodes = sorted(dev.glob("video[0-9]*"), key=lambda node: (len(node.name), node.name))
    return [device for node in nodes if (device := _device(node, dev, ask)) is not None]


def modes_of(path: Path, ask: Ask = _ioctl) -> tuple[Mode, ...]:
    """Return what a device can deliver.

    :raises OSError: when it is not there, may not be opened, or is none.
    """
    with _opened(path) as descriptor:
        kind = _capture_kind(ask(descriptor, _QUERYCAP, bytes(104)))
        if kind is None:
            raise OSError(errno.ENOTTY, "no camera")
        return tuple(islice(_modes(descriptor, kind, ask), _MOST_MODES))


def _device(node: Path, dev: Path, ask: Ask) -> Device | None:
    path = _lasting(node, dev)
    try:
        with _opened(node) as descriptor:
            told = ask(descriptor, _QUERYCAP, bytes(104))
            kind = _capture_kind(told)
            if kind is None:
                return None
            name, bus = (told[a:b].split(b"\0")[0].decode(errors="replace") for a, b in ((16, 48), (48, 80)))
            return Device(path, node, name, bus, tuple(islice(_modes(descriptor, kind, ask), _MOST_MODES)))
    except PermissionError:
        return Device(path, node, "", "", (), "may not be opened: add this user to the group video")
    except OSError:
        return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _capture_kind(told: bytes) -> int | None:
    """Return the type of buffer that a camera fills; None for what is no camera: a codec, or a camera's metadata."""
    capabilities, device = struct.unpack_from("=2I", told, 84)
    own = device if capabilities & _CAP_DEVICE else capabilities
    if own & _CAP_MEMORY_TO_MEMORY:
        return None
    if own & _CAP_CAPTURE:
        return _CAPTURE
    return _CAPTURE_PLANES if own & _CAP_CAPTURE_PLANES else None


def _modes(descriptor: int, kind: int, ask: Ask) -> Iterator[Mode]:
    for code in _listed(ask, descriptor, _ENUM_FMT, lambda index: struct.pack("=2I56x", index, kind), 44):
        letters = struct.pack("=I", code).decode("ascii", errors="replace")
        if letters not in FORMATS:
            continue
        libav, name = FORMATS[letters]
        for width, height in _sizes(descriptor, code, ask):
            yield Mode(name, libav, width, height, _rate(descriptor, code, width, height, ask))


def _listed(ask: Ask, descriptor: int, request: int, question: Callable[[int], bytes], offset: int) -> Iterator[int]:
    for index in range(_MOST):
        try:
            answer = ask(descriptor, request, question(index))
        except OSError:
            return
        yield struct.unpack_from("=I", answer, offset)[0]


def _sizes(descriptor: int, code: int, ask: Ask) -> Iterator[tuple[int, int]]:
    for index in range(_MOST):
        try:
            answer = ask(descriptor, _ENUM_FRAMESIZES, struct.pack("=2I36x", index, code))
        except OSError:
            return
        kind, *numbers = struct.unpack_from("=7I", answer, 8)
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        # Any size in steps: the usual ones that fit, and the largest.
        least_w, most_w, step_w, least_h, most_h, step_h = numbers
        usual = [(640, 360), (640, 480), (1280, 720), (1920, 1080)]
        for width, height in dict.fromkeys([*usual, (most_w, most_h)]):
            across, down = width - least_w, height - least_h
            fits = width <= most_w and height <= most_h and across >= 0 and down >= 0
            if fits and across % max(1, step_w) == 0 and down % max(1, step_h) == 0:
                yield width, height
        return


def _rate(descriptor: int, code: int, width: int, height: int, ask: Ask) -> float:
    best = 0.0
    for index in range(_MOST):
        try:
            answer = ask(descriptor, _ENUM_FRAMEINTERVALS, struct.pack("=4I36x", index, code, width, height))
        except OSError:
            break
        kind, over, under = struct.unpack_from("=3I", answer, 16)
        # The shortest interval: of a range it is the first.
        if over:
            best = max(best, under / over)
        if kind != _DISCRETE:
            break
    return round(best, 2)


def _lasting(node: Path, dev: Path) -> Path:
    """Return the name by what the camera is, or where it is plugged in: numbers change with the order of finding."""
    for folder in ("by-id", "by-path"):
        for link in sorted((dev / "v4l" / folder).glob("*")):
            with contextlib.suppress(OSError):
                if link.resolve() == node.resolve():
                    return link
    return node
