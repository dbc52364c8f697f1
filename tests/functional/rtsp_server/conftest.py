"""A short clip with B-frames and the real server."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vedette.rtsp_server import RtspServer

PASSWORD = "p@ss/w:rd#1%"
FRAMES = 20


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames at 25 fps, with B-frames, so that decoding order is not the order of display."""
    path = tmp_path_factory.mktemp("clip") / "short.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 10
        for index in range(FRAMES):
            picture = np.random.default_rng(index).integers(0, 255, (360, 320), dtype="uint8")
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


@pytest.fixture
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"cam": clip}, "viewer", PASSWORD) as running:
        yield running
