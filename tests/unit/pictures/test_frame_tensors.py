"""Frames to tensors: the same values as an application computes with OpenCV on the BGR picture."""

import cv2
import numpy as np
import pytest

from vedette.pictures import Normalization, Preprocess, SpecificationError, read_frame_document
from vedette.pictures.tensors import BGR, I420, TensorMaker

WIDTH, HEIGHT = 320, 180


def picture() -> np.ndarray:
    """A smooth picture, (HEIGHT, WIDTH, 3) uint8 BGR: colours change slowly, so that resizing has one right answer."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [60 + 120 * x / WIDTH, 50 + 150 * y / HEIGHT, 200 - 100 * (x + y) / (WIDTH + HEIGHT)]
    return np.stack(planes, 2).astype(np.uint8)


def i420(bgr: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(-1)


def made(spec: Preprocess, shape: tuple[int, ...], kind: str = I420, dtype: str = "float32") -> np.ndarray:
    maker = TensorMaker(spec, shape, dtype)
    out = np.empty(maker.shape, maker.dtype)
    bgr = picture()
    maker.fill(i420(bgr) if kind == I420 else bgr.reshape(-1), WIDTH, HEIGHT, kind, out)
    return out


@pytest.mark.parametrize("kind", [I420, BGR])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_the_input_is_not_what_the_application_would_compute(kind: str, order: str, size: tuple[int, int]) -> None:
    mean, std = (103.5, 116.3, 123.7), (57.4, 57.1, 58.4)
    spec = Preprocess(color_order=order, mean=mean, std=std)
    width, height = size
    small = cv2.resize(cv2.cvtColor(i420(picture()).reshape(-1, WIDTH), cv2.COLOR_YUV2BGR_I420), size)
    if order == "RGB":
        small = small[:, :, ::-1]
    expected = ((small.astype(np.float32) - mean) / std).transpose(2, 0, 1)[None]
    got = made(spec, (1, 3, height, width), kind)
    assert got.shape == expected.shape
    # Scaling planes first rounds at another place: a few levels of 256.
    assert np.abs(got - expected).max() <= 6 / 57
    assert np.abs(got - expected).mean() <= 1.2 / 57


def test_channels_last_and_bytes_are_mixed_up() -> None:
    planes = made(Preprocess(scale=1 / 255), (1, 3, 64, 96))
    rows = made(Preprocess(scale=1 / 255), (1, 64, 96, 3))
    np.testing.assert_array_equal(rows.transpose(0, 3, 1, 2), planes)
    levels = made(Preprocess(), (1, 64, 96, 3), dtype="uint8")
    np.testing.assert_allclose(levels / 255, rows, atol=1e-6)
    half = made(Preprocess(scale=1 / 255), (1, 3, 64, 96), dtype="float16")
    np.testing.assert_allclose(half, planes, atol=1e-3)


def test_grey_keeps_videos_narrow_range() -> None:
    grey = made(Preprocess(color_order="GRAY"), (1, 1, 64, 96))
    expected = cv2.resize(cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY), (96, 64))
    assert np.abs(grey[0, 0] - expected).max() <= 3


@pytest.mark.parametrize("kind", [I420, BGR])
def test_letterbox_squeezes_or_has_no_border(kind: str) -> None:
    out = made(Preprocess(resize="letterbox", border=7), (1, 3, 100, 100), kind)[0]
    # 320x180 in 100x100: 56 rows of picture, 22 of border above and below.
    assert (out[:, :22] == 7).all()
    assert (out[:, 78:] == 7).all()
    assert (out[:, 22:78] != 7).any(axis=(0, 2)).all()


def test_crop_takes_something_else_than_the_middle() -> None:
    out = made(Preprocess(resize="crop", color_order="BGR"), (1, 3, 90, 90))[0]
    middle = picture()[:, 70:250]
    expected = cv2.resize(middle, (90, 90)).transpose(2, 0, 1)
    assert np.abs(out - expected).mean() < 1.5


def test_awss_normalization_is_another() -> None:
    given = Normalization(type="minmax", range_min=-1, range_max=1)
    a = made(Preprocess(normalization=given), (1, 3, 64, 96))
    b = made(Preprocess(scale=2 / 255, mean=1.0), (1, 3, 64, 96))
    np.testing.assert_allclose(a, b, atol=1e-6)
    centred = made(Preprocess(normalization=Normalization(type="mean", range_min=0, range_max=1)), (1, 3, 64, 96))
    assert abs(centred.mean()) < 1e-3
    assert np.ptp(centred) == pytest.approx(np.ptp(a) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((1, 10), "needs \\[1, 3, H, W\\]"), ((2, 3, 8, 8), "needs"), ((1, 4, 8, 8), "has 8 channels, colorOrder RGB 3")],
)
def test_an_input_that_is_no_picture_is_filled(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(SpecificationError, match=said):
        TensorMaker(Preprocess(), shape, "float32")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("{}", "preprocess: Field required"),
        ('{"preprocess": {"resize": "zoom"}}', "preprocess.resize"),
        ('{"preprocess": {"std": 0}}', "std must not be 0"),
        ('{"preprocess": {"std": [1, 2]}}', "preprocess.std"),
        ('{"preprocess": {"normalise": 1}}', "preprocess.normalise"),
        (
            '{"preprocess": {"scale": 2, "normalization": {"type": "minmax", "rangeMin": 0, "rangeMax": 1}}}',
            "stands in",
        ),
        ('{"preprocess": {"normalization": {"type": "minmax", "rangeMin": 1, "rangeMax": 0}}}', "below rangeMax"),
        ('{"preprocess": {}, "postprocess": {"type": "ssd", "iouThreshold": 2}}', "postprocess.iouThreshold"),
    ],
)
def test_a_wrong_field_is_not_named(text: str, said: str) -> None:
    with pytest.raises(SpecificationError, match=said):
        read_frame_document(text)
