"""Small video files made on the spot: a grey ramp that moves, so that every frame differs from the one before."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_clip(
    path: Path,
    *,
    width: int = 320,
    height: int = 240,
    frames: int = 50,
    fps: int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    gop: int = 25,
    luma: int | None = None,
) -> Path:
    """Write a clip without B-frames; ``luma`` makes every pixel that grey value instead of the ramp."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, pixel_format, gop
        if codec != "mjpeg":
            stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        if codec == "libx265":
            stream.options = {**stream.options, "x265-params": "log-level=none"}
        ramp = (np.indices((height, width)).sum(0) % 200 + 20).astype("uint8")
        for index in range(frames):
            plane = np.full((height, width), luma, "uint8") if luma is not None else np.roll(ramp, index * 5, 1)
            chroma = np.full((height // 2, width), 128, "uint8")
            frame = av.VideoFrame.from_ndarray(np.concatenate([plane, chroma]), format="yuv420p")
            if pixel_format.startswith("yuvj"):
                # The same numbers, called full range.
                full = av.VideoFrame(width, height, pixel_format)
                for source, target in zip(frame.planes, full.planes, strict=True):
                    target.update(bytes(source))
                frame = full
            frame.pts, frame.time_base = index, Fraction(1, fps)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def write_sound(path: Path) -> Path:
    """Write a second of silence without any video."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "float32"), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, index * 1024
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path
