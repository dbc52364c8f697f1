"""Delivered sizes (CAM-08)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vedette_camera_ingest.scaling import MAX_PIXELS, delivered_size


@pytest.mark.parametrize(
    ("source", "delivered"),
    [
        ((1920, 1080), (1920, 1080)),
        ((1080, 1920), (1080, 1920)),
        ((640, 360), (640, 360)),
        ((3840, 2160), (1920, 1080)),
        ((2160, 3840), (1080, 1920)),
        ((2560, 1920), (1440, 1080)),
        ((2592, 1944), (1440, 1080)),
        ((4096, 2160), (1920, 1012)),
        ((2560, 1440), (1920, 1080)),
        ((3000, 3000), (1080, 1080)),
        ((8000, 1000), (1920, 240)),
        ((1919, 1079), (1918, 1078)),
    ],
)
def test_size_of_a_camera(source: tuple[int, int], delivered: tuple[int, int]) -> None:
    assert delivered_size(*source) == delivered


@given(st.integers(2, 10_000), st.integers(2, 10_000))
def test_every_size_is_even_small_enough_and_keeps_its_shape(width: int, height: int) -> None:
    new_width, new_height = delivered_size(width, height)
    assert new_width % 2 == new_height % 2 == 0
    assert 2 <= new_width <= width
    assert 2 <= new_height <= height
    assert new_width * new_height <= MAX_PIXELS
    # A line more or less by rounding, on both sides.
    assert abs(new_width * height - new_height * width) <= 2 * (width + height)


@pytest.mark.parametrize("source", [(0, 0), (1, 100), (100, 1)])
def test_a_picture_without_size_is_refused(source: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="too small"):
        delivered_size(*source)
