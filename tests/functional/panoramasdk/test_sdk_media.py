"""Media: pixels that belong to the application for as long as it wants, times, annotations."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panoramasdk import _conversion
from vedette_app_runtime.sdk_folder import SOURCE

from .conftest import HEIGHT, WIDTH, Host, grey


def test_image_is_not_a_writable_bgr_array_of_its_own(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(3)
    [media] = node.inputs.video_in.get(timeout=20)
    image = media.image
    assert (image.shape, image.dtype, image.flags.writeable) == ((HEIGHT, WIDTH, 3), np.uint8, True)
    assert (image == grey(3)).all()
    assert media.image is image, "another array on the second access"
    image[:] = 200
    assert (media.image == 200).all()


def test_frames_that_are_kept_change(host: Host) -> None:
    node, [camera] = host.started("door")
    kept = []
    for number in range(1, 13):
        camera.show(number)
        [media] = node.inputs.video_in.get(timeout=20)
        kept.append((number, media, media.image if number % 2 else None))
        if number % 4 == 0 and media.image is not None:
            media.image[:] = 250
    for number, media, image in kept:
        expected = 250 if number % 4 == 0 else grey(number)
        assert (media.image == expected).all(), f"frame {number} is another one now"
        assert image is None or image is media.image


def test_a_frame_that_was_never_looked_at_is_gone_later(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    first = node.inputs.video_in.get(timeout=20)
    for number in range(2, 9):
        camera.show(number)
        node.inputs.video_in.get(timeout=20)
    assert (first[0].image == grey(1)).all()


def test_frames_that_nobody_keeps_are_copied(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Any] = []
    monkeypatch.setattr("panoramasdk._picture.Picture.keep", copies.append)
    node, [camera] = host.started("door")
    for number in (1, 2, 3):
        camera.show(number)
        node.inputs.video_in.get(timeout=20)  # the list is dropped at once
        gc.collect()
    assert not copies


def test_a_cached_media_is_another_picture(host: Host) -> None:
    node, cameras = host.started("a", "b")
    cameras[0].show(1)
    streams = node.inputs.video_in.get(timeout=20)
    streams[0].image[0, 0] = (9, 8, 7)
    streams[0].add_label("old", 0, 0)
    cameras[1].show(2)
    cached, _ = node.inputs.video_in.get(timeout=20)
    assert cached.is_cached
    assert tuple(cached.image[0, 0]) == (9, 8, 7), "what was drawn is gone while the picture stands"
    assert cached.image[1, 1, 0] == grey(1)
    assert not streams[0].is_cached, "the media of before has changed"


def test_a_cached_media_nobody_touched_is_black(host: Host) -> None:
    node, cameras = host.started("a", "b")
    cameras[0].show(1)
    node.inputs.video_in.get(timeout=20)
    for number in range(2, 9):
        cameras[1].show(number)
        cached, _ = node.inputs.video_in.get(timeout=20)
    assert (cached.image == grey(1)).all()


def test_the_size_changes_while_frames_are_kept(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    [small] = node.inputs.video_in.get(timeout=20)
    camera.show(2, 320, 240)
    [large] = node.inputs.video_in.get(timeout=20)
    assert (small.image.shape, large.image.shape) == ((HEIGHT, WIDTH, 3), (240, 320, 3))
    assert (small.image == grey(1)).all()
    assert (large.image == grey(2)).all()


def test_the_setter_takes_what_is_no_picture(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    replacement = np.zeros((10, 20, 3), np.uint8)
    media.image = replacement
    assert media.image is replacement
    for wrong in (np.zeros((10, 20), np.uint8), np.zeros((10, 20, 3), np.float32), "no picture"):
        with pytest.raises(TypeError, match=r"takes a \(height, width, 3\) uint8 array, got"):
            media.image = wrong


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((0, 0, 1, 1), [0.0, 0.0, 1.0, 1.0]),
        ((-3, 0.5, 1.5, 2), [0.0, 0.5, 1.0, 1.0]),
        ((np.float32(0.25), np.float64(0.5), np.int64(1), np.array(0.75)), [0.25, 0.5, 1.0, 0.75]),
        ((float("nan"), 0, float("inf"), float("-inf")), [0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_rectangles_leave_the_picture(host: Host, given: tuple[float, ...], kept: list[float]) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    assert media.add_rect(*given) is None
    assert media.add_label(12, given[0], given[1]) is None
    assert media._annotations.rects == [kept]
    assert media._annotations.labels == [["12", *kept[:2]]]
    assert (media.image == grey(1)).all(), "annotations are drawn into the picture"


def test_a_coordinate_that_is_no_number_is_taken(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    with pytest.raises(TypeError, match="a coordinate is str, expected a number between 0 and 1"):
        media.add_rect("left", 0, 1, 1)


def random_i420(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, width * height * 3 // 2, np.uint8)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (2, 2), (1920, 1080), (322, 34)])
def test_numpy_gives_other_colours_than_opencv(width: int, height: int) -> None:
    cv2 = pytest.importorskip("cv2")
    i420 = random_i420(width, height)
    expected = cv2.cvtColor(i420.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420).astype(np.int16)
    difference = np.abs(_conversion.numpy_i420_to_bgr(i420, width, height) - expected)
    assert difference.max() <= 1


def test_an_opencv_that_does_not_import_ends_the_application(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    code = (
        "import numpy as np; from panoramasdk import _conversion as c; "
        "print(c.i420_to_bgr(np.zeros(6, np.uint8), 2, 2).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{SOURCE}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.strip() == "(2, 2, 3)"
