"""Video files as cameras: pace, loop, end, sizes, pixel formats, and files that are none."""

import time
from pathlib import Path

import numpy as np
import pytest

from vedette.messages import CameraSource, CameraState

from .camera_clips import write_clip, write_sound
from .conftest import Stand, take


def source(path: Path | str, **options: object) -> CameraSource:
    return CameraSource.model_validate({"name": "film", "url": str(path), **options})


def test_every_frame_reaches_a_slow_reader_at_the_fastest_pace_and_the_end_is_told(
    stand: Stand, clips: dict[str, Path]
) -> None:
    stand.want(source(clips["h264"], pace="fastest", loop=False))
    reader = stand.reader()
    leases = take(reader, 50)
    assert [lease.header.sequence for lease in leases] == list(range(1, 51))
    status = stand.wait_for_state(CameraState.ENDED)
    assert (status.frames, status.detail) == (50, "h264.mp4 was played to its end")
    assert status.socket, "the last picture stays to be had"
    reader.close()


def test_own_pace_is_that_of_the_file_and_a_loop_goes_on(stand: Stand, clips: dict[str, Path]) -> None:
    stand.want(source(clips["h264"]))
    reader = stand.reader()
    take(reader, 1)
    started = time.monotonic()
    leases = take(reader, 60)
    elapsed_s = time.monotonic() - started
    assert leases[-1].header.sequence > 50, "the file has 50 frames"
    assert elapsed_s > 60 / 25 * 0.9
    reader.close()


def test_nobody_reads_and_the_file_stands_still(stand: Stand, clips: dict[str, Path]) -> None:
    stand.want(source(clips["h264"]))
    stand.wait_for_state(CameraState.LIVE)
    stand.forget()
    stand.wait_for(lambda _status: len(stand.heard) > 2)
    assert stand.heard[-1].frames == 1
    assert (stand.heard[-1].width, stand.heard[-1].state) == (320, CameraState.LIVE)


def test_4k_is_scaled(stand: Stand, clips: dict[str, Path]) -> None:
    stand.want(source(clips["4k"], pace="fastest", loop=False))
    reader = stand.reader()
    (lease,) = take(reader, 1)
    assert (lease.header.width, lease.header.height) == (1920, 1080)
    status = stand.wait_for_state(CameraState.LIVE)
    assert (status.source_width, status.source_height, status.width, status.height) == (3840, 2160, 1920, 1080)
    reader.close()


@pytest.mark.parametrize(
    ("pixel_format", "codec", "suffix", "written", "read"),
    [
        ("yuv420p", "libx264", "mp4", 200, 200),
        ("yuv422p", "libx264", "mp4", 200, 200),
        ("yuv420p10le", "libx264", "mp4", 200, 200),
        ("yuvj420p", "libx264", "mp4", 255, 235),
        ("yuvj420p", "mjpeg", "mov", 0, 16),
    ],
)
def test_other_pixel_formats_come_as_video_range_yuv420p(
    stand: Stand, tmp_path: Path, pixel_format: str, codec: str, suffix: str, written: int, read: int
) -> None:
    clip = write_clip(
        tmp_path / f"clip.{suffix}",
        frames=3,
        pixel_format=pixel_format,
        codec=codec,
        luma=written,
        width=162,
        height=90,
    )
    stand.want(source(clip, pace="fastest", loop=False))
    reader = stand.reader()
    lease = reader.receive(5.0)
    assert lease is not None
    pixels = np.frombuffer(lease.buffer, "uint8")
    assert pixels.size == 162 * 90 * 3 // 2
    assert abs(int(np.median(pixels[: 162 * 90])) - read) <= 2
    assert abs(int(np.median(pixels[162 * 90 :])) - 128) <= 2
    del pixels
    lease.release()
    reader.close()


def test_padded_lines_are_packed(stand: Stand, tmp_path: Path) -> None:
    """162 pixels are no multiple of what the decoder aligns lines to."""
    clip = write_clip(tmp_path / "narrow.mp4", frames=2, width=162, height=90)
    stand.want(source(clip, pace="fastest", loop=False))
    reader = stand.reader()
    lease = reader.receive(5.0)
    assert lease is not None
    luma = np.frombuffer(lease.buffer, "uint8")[: 162 * 90].reshape(90, 162).astype(int)
    ramp = np.indices((90, 162)).sum(0) % 200 + 20
    assert np.abs(luma - ramp).mean() < 12
    del luma
    lease.release()
    reader.close()


def test_resolution_changes_in_the_middle(stand: Stand, tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", frames=5, width=320, height=240)
    second = write_clip(tmp_path / "b.h264", frames=5, width=640, height=360)
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    stand.want(source(both, pace="fastest", loop=False))
    reader = stand.reader()
    sizes = [(lease.header.width, lease.header.height) for lease in take(reader, 10)]
    assert sizes == [(320, 240)] * 5 + [(640, 360)] * 5
    reader.close()


def test_file_missing_and_then_there(stand: Stand, tmp_path: Path, clips: dict[str, Path]) -> None:
    path = tmp_path / "later.mp4"
    stand.want(source(path))
    assert stand.wait_for_state(CameraState.NOT_FOUND).detail == f"Video file {path} does not exist on this device"
    path.write_bytes(clips["h264"].read_bytes())
    stand.wait_for_state(CameraState.LIVE)


def test_files_that_hold_no_video(stand: Stand, tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a film\n" * 100)
    stand.want(source(text))
    assert "is not a video" in stand.wait_for_state(CameraState.NO_VIDEO).detail
    stand.forget()
    stand.want(source(write_sound(tmp_path / "sound.m4a")))
    assert "has no video in it" in stand.wait_for(lambda status: "sound" in status.detail).detail


def test_mjpeg_file(stand: Stand, clips: dict[str, Path]) -> None:
    stand.want(source(clips["mjpeg"], pace="fastest"))
    reader = stand.reader()
    take(reader, 15)
    assert stand.wait_for_state(CameraState.LIVE).codec == "MJPEG"
    reader.close()
