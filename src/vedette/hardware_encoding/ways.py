"""The ways in which H.264 can be encoded in hardware, and which of them this device seems to have.

PyAV's wheels have NVENC, Quick Sync, AMF and Video4Linux's memory-to-memory encoders on x86_64, and the last of these
alone on aarch64; VAAPI on neither, and a Jetson's encoder has an interface of NVIDIA's own. Those two come with
GStreamer, which the makers' systems carry.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from vedette.hardware_decoding import DEV, memory_to_memory_encoder

GST_LAUNCH: Final = "gst-launch-1.0"


class Carrier(Enum):
    """Whose code drives the hardware."""

    LIBAV = "libav"
    GSTREAMER = "GStreamer"


@dataclass(frozen=True)
class Way:
    """One way to encode in hardware.

    ``key``: as configurations name it. ``name``: for people. ``element``: libav's name of the encoder; for GStreamer
    what stands in its pipeline between I420 frames and H.264, with ``{bits}``, ``{kilobits}`` a second and ``{gop}``
    frames from key to key.
    """

    key: str
    name: str
    carrier: Carrier
    element: str


NVENC: Final = Way("nvenc", "NVENC (NVIDIA)", Carrier.LIBAV, "h264_nvenc")
JETSON: Final = Way(
    "jetson",
    "NVENC (Jetson)",
    Carrier.GSTREAMER,
    "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvv4l2h264enc bitrate={bits} insert-sps-pps=true"
    " iframeinterval={gop} idrinterval={gop} maxperf-enable=true preset-level=1",
)
QSV: Final = Way("qsv", "Quick Sync (Intel)", Carrier.LIBAV, "h264_qsv")
VA: Final = Way(
    "va",
    "VA-API",
    Carrier.GSTREAMER,
    "videoconvert ! video/x-raw,format=NV12 ! vah264enc bitrate={kilobits} key-int-max={gop} b-frames=0 target-usage=6",
)
VA_LOW_POWER: Final = Way(
    "valp",
    "VA-API, low power",
    Carrier.GSTREAMER,
    "videoconvert ! video/x-raw,format=NV12 ! vah264lpenc bitrate={kilobits} key-int-max={gop} target-usage=6",
)
VAAPI: Final = Way(
    "vaapi",
    "VA-API (gstreamer-vaapi)",
    Carrier.GSTREAMER,
    "videoconvert ! video/x-raw,format=NV12 !"
    " vaapih264enc rate-control=vbr bitrate={kilobits} keyframe-period={gop} max-bframes=0",
)
AMF: Final = Way("amf", "AMF (AMD)", Carrier.LIBAV, "h264_amf")
V4L2: Final = Way("v4l2", "V4L2 memory-to-memory", Carrier.LIBAV, "h264_v4l2m2m")

WAYS: Final = (NVENC, JETSON, QSV, VA, VA_LOW_POWER, VAAPI, AMF, V4L2)
"""All of them, best first."""


def candidates(
    *,
    dev: Path = DEV,
    built_in: Callable[[str], bool] | None = None,
    which: Callable[[str], str | None] = shutil.which,
) -> list[Way]:
    """Return what the device seems to have, best first; cheap, nothing is opened but Video4Linux's device nodes.

    ``built_in`` tells whether PyAV has an encoder; None asks it.
    """
    has = built_in or _built_in
    seems = _devices(dev)
    return [
        way
        for way in WAYS
        if way.key in seems and (has(way.element) if way.carrier is Carrier.LIBAV else which(GST_LAUNCH) is not None)
    ]


def way_of(key: str, ways: Sequence[Way] = WAYS) -> Way | None:
    """Return the way of that name."""
    return next((way for way in ways if way.key == key), None)


def _devices(dev: Path) -> set[str]:
    found: set[str] = set()
    if any((dev / name).exists() for name in ("nvidia0", "nvidiactl", "dxg")):
        found.add(NVENC.key)
    # JetPack 4 and 5 have the first, JetPack 5 and 6 the second.
    if any((dev / name).exists() for name in ("nvhost-msenc", "v4l2-nvenc")):
        found.add(JETSON.key)
    if any((dev / "dri").glob("renderD*")):
        found |= {QSV.key, VA.key, VA_LOW_POWER.key, VAAPI.key, AMF.key}
    if memory_to_memory_encoder(dev) is not None:
        found.add(V4L2.key)
    return found


def _built_in(element: str) -> bool:
    import av

    try:
        av.Codec(element, "w")
    except ValueError:
        return False
    return True
