"""From a frame in a ring to a JPEG: formats, sizes, and frames that are not what they say."""

import cv2
import numpy as np
import pytest
from vedette_display.encoding import encode, to_bgr
from vedette_display.overlay import Overlays
from vedette_display.picture import PictureError, Variant, size_for

from vedette.rings import BGR24, I420, FrameHeader


def frame(width: int, height: int, pixel_format: int) -> tuple[FrameHeader, memoryview]:
    """A frame: left half blue, right half red."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 220
    image[:, width // 2 :, 2] = 220
    if pixel_format == I420:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)
    return FrameHeader(1, 0, 0, width, height, pixel_format), memoryview(image.tobytes()).toreadonly()


@pytest.mark.parametrize("pixel_format", [BGR24, I420])
@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((1920, 1080), 640, (640, 360)),
        ((1920, 1080), 1280, (1280, 720)),
        ((640, 360), 1280, (640, 360)),
        ((1080, 1920), 640, (640, 1138)),
        ((322, 242), 100, (100, 76)),
    ],
)
def test_size_or_colour_is_lost(pixel_format: int, size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    header, buffer = frame(*size, pixel_format)
    jpeg, width, height = encode(header, buffer, Overlays(), Variant(most))
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert (width, height) == expected == (image.shape[1], image.shape[0])
    left, right = image[height // 2, width // 4], image[height // 2, 3 * width // 4]
    assert left[0] > 180
    assert left[2] < 60
    assert right[2] > 180
    assert right[0] < 60


def test_drawing_writes_into_the_ring() -> None:
    """At full size a BGR frame is the ring's own memory, which others read too."""
    header, buffer = frame(640, 360, BGR24)
    before = bytes(buffer)
    overlays = Overlays(rects=((0.1, 0.1, 0.9, 0.9),))
    plain, _, _ = encode(header, buffer, Overlays(), Variant(640))
    drawn, _, _ = encode(header, buffer, overlays, Variant(640))
    hidden, _, _ = encode(header, buffer, overlays, Variant(640, overlays=False))
    assert bytes(buffer) == before
    assert drawn != plain == hidden


@pytest.mark.parametrize(
    ("header", "nbytes", "words"),
    [
        (FrameHeader(1, 0, 0, 64, 64, 9), 100, "pixel format 9 is unknown"),
        (FrameHeader(1, 0, 0, 64, 64, BGR24), 100, "has 100 bytes, expected 12288"),
        (FrameHeader(1, 0, 0, 64, 64, I420), 6145, "has 6145 bytes, expected 6144"),
    ],
)
def test_frame_that_is_not_what_it_says_is_read(header: FrameHeader, nbytes: int, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        to_bgr(header, memoryview(bytes(nbytes)), 640)


@pytest.mark.parametrize(
    ("wanted", "most", "size"),
    [(1, 1280, 480), (480, 1280, 480), (700, 1280, 640), (720, 1280, 960), (3000, 1280, 1280), (900, 480, 480)],
)
def test_encoded_size_is_blurred_or_wasteful(wanted: int, most: int, size: int) -> None:
    assert size_for(wanted, most) == size
