"""Encoders in processes of their own, as hardware is driven: what they give, and what a stream makes of their end.

No machine of the tests has hardware; libx264 stands in its place, in the same processes, over the same pipes.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import vedette_display.main
from vedette_display.encoders import Encoders, HardwareEncoder, Shot

from tests.waiting import eventually
from vedette.hardware_encoding import Carrier, EncoderFailed, Way, libav, prove

from .test_display_controls import fetch, known
from .test_output_streams import addresses

LIBAV = Way("libav", "libx264 in a process", Carrier.LIBAV, "libx264")
GSTREAMER = Way(
    "gstreamer",
    "x264enc",
    Carrier.GSTREAMER,
    "x264enc tune=zerolatency speed-preset=superfast key-int-max={gop} bitrate={kilobits}",
)


def _has_x264enc() -> bool:
    inspect = shutil.which("gst-inspect-1.0")
    return inspect is not None and subprocess.run([inspect, "--exists", "x264enc"], check=False).returncode == 0


needs_x264enc = pytest.mark.skipif(
    not _has_x264enc(), reason="GStreamer has no x264enc (apt install gstreamer1.0-tools gstreamer1.0-plugins-ugly)"
)
both = pytest.mark.parametrize("way", [LIBAV, pytest.param(GSTREAMER, marks=needs_x264enc)], ids=lambda way: way.key)


@both
def test_encoder_that_works_is_refused(way: Way) -> None:
    assert prove(way).refusal == ""


def test_encoder_that_is_not_there_is_refused_without_a_reason() -> None:
    nowhere = Way("x", "x", Carrier.LIBAV, "h264_v4l2m2m")
    assert prove(nowhere).refusal == "Could not find a valid device"
    if shutil.which("gst-launch-1.0"):
        refusal = prove(Way("x", "x", Carrier.GSTREAMER, "nvnothing bitrate={bits}")).refusal
        assert refusal == 'no element "nvnothing"'


@pytest.mark.parametrize(
    ("way", "number"),
    [(LIBAV, signal.SIGSTOP), pytest.param(GSTREAMER, signal.SIGKILL, marks=needs_x264enc)],
    ids=["hangs", "crashes"],
)
def test_stream_ends_with_its_encoder(
    way: Way,
    number: signal.Signals,
    start_display: Any,
    start_application: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made: list[HardwareEncoder] = []

    def remember(*given: Any) -> HardwareEncoder:
        made.append(HardwareEncoder(*given))
        return made[-1]

    monkeypatch.setattr(
        vedette_display.main, "Encoders", functools.partial(Encoders, seeming=lambda: [way], open_hardware=remember)
    )
    with caplog.at_level("INFO"):
        display, application = start_display(), start_application()
        eventually(lambda: f"outputs are encoded by {way.name}" in caplog.messages, "it is found")
    quick = {"rtsp_transport": "tcp", "analyzeduration": "100000"}
    with av.open(addresses(display, application)["annotated"], options=quick, timeout=20) as container:
        frames = container.decode(video=0)
        for _ in range(4):
            next(frames)
        [encoder] = made
        os.kill(encoder.pid, number)
        times = [float(frame.time or 0.0) for frame, _ in zip(frames, range(15), strict=False)]
    assert len(times) == 15, "the stream goes on"
    assert np.diff(times).min() > 0, times
    assert [text for text in caplog.messages if text.startswith(f"{way.name} has failed")]
    assert not Path(f"/proc/{encoder.pid}").exists(), "its process is left behind"


def test_movie_across_the_end_of_an_encoder_cannot_be_read(
    start_display: Any, start_application: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Any] = []

    class Fails(HardwareEncoder):
        """Real, until its fourth picture."""

        count = 0

        def encode(self, *given: Any, **more: Any) -> list[Any]:
            self.count += 1
            if self.count == 4:
                raise EncoderFailed("the driver has no memory left")
            made.append(self)
            return super().encode(*given, **more)

    monkeypatch.setattr(
        vedette_display.main,
        "Encoders",
        functools.partial(Encoders, seeming=lambda: [LIBAV], search=lambda ways: (ways[0], []), open_hardware=Fails),
    )
    display, application = start_display(), start_application()
    known(display, application)
    status, _, body = fetch(display, f"/outputs/{application.output_id}.mp4?seconds=2")
    assert (status, len(made)) == (200, 3)
    movie = tmp_path / "movie.mp4"
    movie.write_bytes(body)
    with av.open(str(movie)) as container:
        images = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(images) > 3, "it goes on in software"
    brightness = [float(image[10:40, 300:].mean()) for image in images]
    assert max(brightness) - min(brightness) < 3, "pictures are decoded with the parameter sets of another encoder"


HOLDS_TWO = """
import sys
from vedette.hardware_encoding.coded import Coded
from vedette.hardware_encoding.libav import Messages
out, held, size = sys.stdout.buffer, [], int(sys.argv[1])
out.write(Messages.encode(None))
out.flush()
while len(frame := sys.stdin.buffer.read(1 + size)) == 1 + size:
    held.append(Coded(b"\\0\\0\\0\\1\\x65\\x88" + frame[1:2], True))
    if len(held) > 2 and len(held) != 9:
        out.write(Messages.encode(held.pop(0)))
        out.flush()
"""


def test_encoder_that_holds_pictures_back_gives_them_to_other_frames_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libav, "command", lambda *_: [sys.executable, "-c", HOLDS_TWO, str(72 * 64)])
    encoder = HardwareEncoder(LIBAV, 64, 48)
    try:
        units = []
        for number in range(12):
            planes = np.full((72, 64), 100 + number, np.uint8)
            units += encoder.encode(planes, Shot(number * 6000, number, b"%d" % number), key=False)
    finally:
        encoder.close()
    assert [(unit.pts, unit.capture_wall_ns, unit.meta, unit.data[-1]) for unit in units] == [
        (n * 6000, n, b"%d" % n, 100 + n) for n in range(10)
    ]


@both
def test_key_frame_or_the_first_picture_is_not_where_it_was_wanted(way: Way) -> None:
    encoder = HardwareEncoder(way, 64, 48)
    planes = np.full((72, 64), 100, np.uint8)
    try:
        units = [unit for n in range(10) for unit in encoder.encode(planes, Shot(n * 6000, n), key=n == 5)]
    finally:
        encoder.close()
    assert [unit.pts for unit in units] == [n * 6000 for n in range(10)]
    keys = [n for n, unit in enumerate(units) if unit.key]
    assert keys == ([0, 5] if way is LIBAV else [0]), "a pipeline cannot be asked"
