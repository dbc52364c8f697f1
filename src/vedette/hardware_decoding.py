"""Video decoders in hardware: which this device has, and whether they work. CameraIngest and ``doctor`` ask here.

NVDEC through CUDA, VAAPI (Intel, AMD), and Video4Linux's memory-to-memory decoders (many ARM boards). What PyAV was
built without is not there, whatever the device has. ``python -m vedette.hardware_decoding`` tries them all and prints
what works as JSON; it is a process of its own because a driver that hangs or crashes shall harm nobody.
"""

import fcntl
import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

CODECS: Final = ("h264", "hevc")
"""libav's names of what is worth decoding in hardware."""

DEV: Final = Path("/dev")
_QUERYCAP, _ENUM_FMT = 0x80685600, 0xC0405602
DEVICE_CAPS_SET, _M2M, _M2M_MPLANE = 0x80000000, 0x00008000, 0x00004000
# What a queue is for: frames go in by the "output" side, and out by the "capture" side, as Video4Linux calls them.
_CAPTURE, _CAPTURE_MPLANE, _OUTPUT, _OUTPUT_MPLANE = 1, 9, 2, 10
_MOST_FORMATS: Final = 32
_FOURCC: Final = {"h264": b"H264", "hevc": b"HEVC"}

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True)
class Hardware:
    """One way to decode in hardware. ``kind`` is libav's name of it, ``name`` that for people."""

    kind: str
    name: str
    device: str | None = None


def candidates(codec: str, *, dev: Path = DEV, available: Sequence[str] | None = None) -> list[Hardware]:
    """Return what the device seems to have for ``codec``, best first; cheap, nothing is opened but device nodes.

    ``available`` are the kinds that PyAV was built with; None asks it.
    """
    if codec not in CODECS:
        return []
    kinds = _built_in(codec) if available is None else available
    found = []
    if "cuda" in kinds and any((dev / name).exists() for name in ("nvidia0", "nvidiactl", "dxg")):
        found.append(Hardware("cuda", "NVDEC (NVIDIA)"))
    if "vaapi" in kinds:
        renderers = sorted((dev / "dri").glob("renderD*"))
        found += [Hardware("vaapi", f"VAAPI ({path.name})", str(path)) for path in renderers]
    if "v4l2m2m" in kinds and (device := _memory_to_memory(codec, dev)):
        found.append(Hardware("v4l2m2m", f"V4L2 ({device})", device))
    return found


def open_decoder(codec: str, hardware: Hardware, extradata: bytes | None = None) -> Any:
    """Return libav's context of a decoder in hardware; frames come out of it in main memory.

    :raises OSError: when the driver refuses (av.FFmpegError is one).
    :raises ValueError: when PyAV has no such decoder (av's own errors are).
    """
    from av import CodecContext
    from av.codec.hwaccel import HWAccel

    if hardware.kind == "v4l2m2m":
        context = CodecContext.create(f"{codec}_v4l2m2m", "r")
    else:
        # Software is taken by who asks, knowing it; PyAV would do it in silence.
        accelerator = HWAccel(hardware.kind, device=hardware.device, allow_software_fallback=False)
        context = CodecContext.create(codec, "r", hwaccel=accelerator)
    if extradata:
        context.extradata = extradata
    return context


def works(codec: str, hardware: Hardware) -> bool:
    """Decode a few pictures to see."""
    import av

    try:
        decoder = open_decoder(codec, hardware)
        frames = [frame for packet in _pictures(codec) for frame in decoder.decode(packet)]
        frames += decoder.decode(None)
    except (av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError):
        return False
    return bool(frames) and (frames[0].width, frames[0].height) == (320, 240)


def _pictures(codec: str) -> Iterator[Any]:
    """Yield a second of grey, encoded in software."""
    import av

    encoder: Any = av.CodecContext.create({"h264": "libx264", "hevc": "libx265"}[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 10), Fraction(10)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}
    if codec == "h264":
        del encoder.options["x265-params"]
    for number in range(10):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([96 + number]) * plane.buffer_size)
        frame.pts = number
        yield from encoder.encode(frame)
    yield from encoder.encode(None)


def _built_in(codec: str) -> list[str]:
    import av
    from av.codec.hwaccel import hwdevices_available

    kinds = list(hwdevices_available())
    try:
        av.Codec(f"{codec}_v4l2m2m", "r")
    except ValueError:
        return kinds
    return [*kinds, "v4l2m2m"]


def memory_to_memory_encoder(dev: Path = DEV, ioctl: Ioctl = fcntl.ioctl) -> str | None:
    """Return the first device node out of which H.264 comes; tells nothing of whether it works."""
    return _memory_to_memory("h264", dev, ioctl, (_CAPTURE, _CAPTURE_MPLANE))


def _memory_to_memory(
    codec: str, dev: Path, ioctl: Ioctl = fcntl.ioctl, sides: tuple[int, int] = (_OUTPUT, _OUTPUT_MPLANE)
) -> str | None:
    """Return the first device node that has ``codec`` on a side: taken in (a decoder's), or given out."""
    for path in sorted(dev.glob("video*")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if _has(descriptor, _FOURCC[codec], ioctl, sides):
                return str(path)
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return None


def _has(descriptor: int, fourcc: bytes, ioctl: Ioctl, sides: tuple[int, int]) -> bool:
    """Tell whether a device is memory-to-memory and that side of it (single-planar, multi-planar) knows ``fourcc``."""
    capability = bytearray(104)
    ioctl(descriptor, _QUERYCAP, capability)
    capabilities, device_caps = struct.unpack_from("=II", capability, 84)
    caps = device_caps if capabilities & DEVICE_CAPS_SET else capabilities
    if not caps & (_M2M | _M2M_MPLANE):
        return False
    kind = sides[1] if caps & _M2M_MPLANE else sides[0]
    for index in range(_MOST_FORMATS):
        described = bytearray(64)
        struct.pack_into("=II", described, 0, index, kind)
        try:
            ioctl(descriptor, _ENUM_FMT, described)
        except OSError:
            return False  # no more of them
        if bytes(described[44:48]) == fourcc:
            return True
    return False


def main() -> int:
    """Print which hardware decodes which codec: ``{"h264": ["NVDEC (NVIDIA)"], "hevc": []}``."""
    found = {codec: [each.name for each in candidates(codec) if works(codec, each)] for codec in CODECS}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
