"""Hardware decodes where it can; where it cannot, software does, and the camera goes on."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import av
import pytest
from vedette_camera_ingest.decoding import SOFTWARE, Decoder
from vedette_camera_ingest.events import Received
from vedette_camera_ingest.timing import CaptureClock

from vedette import hardware_decoding
from vedette.hardware_decoding import Hardware, candidates

CHIP = Hardware("cuda", "a chip")


class Packet:
    size, pts = 1, None

    def __init__(self, *, is_keyframe: bool = False) -> None:
        self.is_keyframe = is_keyframe


class Context:
    """Stands in for libav's decoder: one frame a packet, or an error."""

    name, extradata, width, height = "h264", None, 1920, 1080
    thread_count, thread_type, skip_frame = 0, "", "DEFAULT"
    options: ClassVar[dict[str, str]] = {}

    def __init__(self, error: Exception | None = None, frames: int = 1) -> None:
        self.error = error
        self.frames = frames

    def decode(self, _packet: object) -> list[Any]:
        if self.error:
            raise self.error
        return [av.VideoFrame(16, 16, "yuv420p")] * self.frames


def decoder(opener: Callable[..., Any]) -> Decoder:
    return Decoder(Context(), CaptureClock(), [CHIP], opener=opener)


def frames(made: Decoder, packets: int, *, key: bool = False) -> int:
    return sum(1 for _ in range(packets) for _ in made.decode(Received(Packet(is_keyframe=key), 0, 0)))


def test_hardware_is_there_and_is_not_used() -> None:
    made = decoder(lambda *_: Context())
    assert (made.name, frames(made, 3)) == ("a chip", 3)


def test_hardware_that_refuses_stops_the_camera() -> None:
    def refuse(*_: object) -> Any:
        raise OSError(1, "no device")

    made = decoder(refuse)
    assert (made.name, frames(made, 3)) == (SOFTWARE, 3)


@pytest.mark.parametrize("context", [Context(av.InvalidDataError(1, "")), Context(ValueError("")), Context(frames=0)])
def test_hardware_that_does_not_know_the_profile_shows_nothing_for_ever(context: Context) -> None:
    made = decoder(lambda *_: context)
    assert frames(made, 24) == 0
    assert made.name == "a chip", "a few packets may be lost without any fault of its own"
    assert frames(made, 2) == 0
    assert made.name == SOFTWARE
    assert frames(made, 5) == 0, "software begins with a key frame"
    assert frames(made, 1, key=True) == 1
    assert frames(made, 5) == 5


def test_hardware_is_guessed_where_there_is_none(tmp_path: Path) -> None:
    everything = ("cuda", "vaapi", "v4l2m2m")
    assert candidates("h264", dev=tmp_path, available=everything) == []
    (tmp_path / "nvidiactl").touch()
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    (tmp_path / "video0").touch()  # no device: every question about it is answered by an error
    found = candidates("hevc", dev=tmp_path, available=everything)
    assert [each.kind for each in found] == ["cuda", "vaapi"]
    assert candidates("hevc", dev=tmp_path, available=["qsv"]) == []
    assert candidates("mjpeg", dev=tmp_path, available=everything) == []


@pytest.mark.parametrize(
    ("caps", "formats", "expected"),
    [
        (0x04004000, [b"H264", b"HEVC"], True),
        (0x04004000, [b"YU12", b"HEVC"], True),
        (0x04004000, [b"YU12"], False),  # an encoder
        (0x04000001, [b"HEVC"], False),  # a webcam
    ],
)
def test_webcam_or_encoder_is_taken_for_a_decoder(
    tmp_path: Path, caps: int, formats: list[bytes], expected: bool
) -> None:
    (tmp_path / "video10").touch()
    listed: Iterator[bytes] = iter(formats)

    def ioctl(_descriptor: int, request: int, answer: bytearray) -> None:
        if request == 0x80685600:
            struct.pack_into("=II", answer, 84, 0x84204000, caps)
            return
        fourcc = next(listed, None)
        if fourcc is None:
            raise OSError(22, "no more")
        answer[44:48] = fourcc

    found = hardware_decoding._memory_to_memory("hevc", tmp_path, ioctl)
    assert found == (str(tmp_path / "video10") if expected else None)
