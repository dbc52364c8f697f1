"""Overlays: what is read from an application's metadata, and the pixels that come of it."""

import json

import numpy as np
import pytest
from vedette_display.overlay import MAX_LABEL_CHARS, Image, Overlays, draw, drawable, parse

GREY = 120


def picture(width: int = 640, height: int = 360) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def changed(image: Image) -> tuple[int, int, int, int]:
    """Return the box of everything that was drawn: left, top, right, bottom."""
    ys, xs = np.nonzero((image != GREY).any(axis=2))
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def is_red(pixel: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> bool:
    blue, green, red = (int(value) for value in pixel)
    return red > 200 and blue < 100 and green < 100


def meta(**overlays: object) -> bytes:
    return json.dumps(overlays).encode()


def test_rect_is_drawn_elsewhere_than_said() -> None:
    image = picture()
    draw(image, parse(meta(rects=[[0.25, 0.5, 0.75, 1.0]])))
    left, top, right, bottom = changed(image)
    assert (left, top) == pytest.approx((160, 180), abs=3)
    assert right == pytest.approx(479, abs=3)
    assert bottom >= 357
    assert is_red(image[270, 160]), "left line"
    assert is_red(image[180, 320]), "upper line"
    assert (image[270, 320] == GREY).all(), "the inside stays"


def test_rect_around_the_whole_picture_is_cut_away() -> None:
    image = picture()
    draw(image, parse(meta(rects=[[0, 0, 1, 1]])))
    for row, column in ((0, 320), (359, 320), (180, 0), (180, 639)):
        assert is_red(image[row, column])


@pytest.mark.parametrize(
    "rect", [[-3, -3, 9, 9], [0.9, 0.9, 0.1, 0.1], [0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1], [0, 0, 0, 0]]
)
def test_odd_rect_breaks_the_drawing(rect: list[float]) -> None:
    image = picture()
    draw(image, parse(meta(rects=[rect])))
    assert (image != GREY).any()


def test_label_is_not_white_on_dark_at_its_place() -> None:
    image = picture()
    draw(image, parse(meta(labels=[["Person", 0.5, 0.5]])))
    left, top, right, bottom = changed(image)
    assert left == pytest.approx(320, abs=6)
    assert bottom == pytest.approx(180, abs=2), "(x, y) is the bottom left corner"
    box = image[top : bottom + 1, left : right + 1]
    assert box.max() > 240, "white text"
    assert box.min() < 60, "on a dark box"


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 1), (1, 0), (0, 1), (0.99, 0.01)])
def test_label_at_the_border_is_cut_away(x: float, y: float) -> None:
    inside, outside = picture(), picture()
    draw(inside, parse(meta(labels=[["Person", 0.4, 0.5]])))
    draw(outside, parse(meta(labels=[["Person", x, y]])))
    size = [(b[2] - b[0], b[3] - b[1]) for b in (changed(inside), changed(outside))]
    assert size[0] == pytest.approx(size[1], abs=1)


def test_label_longer_than_the_picture_stops_the_drawing() -> None:
    image = picture(160, 90)
    draw(image, parse(meta(labels=[["x" * 5000, 0.5, 0.5]])))
    assert changed(image)[0] == 0
    assert len(parse(meta(labels=[["x" * 5000, 0, 0]])).labels[0][0]) == MAX_LABEL_CHARS


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360), (1280, 720), (1920, 1080)])
def test_label_is_unreadable_at_some_size(width: int, height: int) -> None:
    image = picture(width, height)
    draw(image, parse(meta(labels=[["Person 42 %", 0.1, 0.5]])))
    _, top, _, bottom = changed(image)
    assert 12 <= bottom - top <= height // 8


def test_text_that_is_not_ascii_becomes_question_marks() -> None:
    """Where OpenCV draws Unicode the letters differ from question marks; where not, the accents are taken off."""
    assert drawable("Grüße, Café 20 °C", draws_unicode=False) == "Grusse, Cafe 20  degC"
    assert "?" not in drawable("日本 Tür", draws_unicode=False)
    assert drawable("日本", draws_unicode=True) == "日本"
    drawn, marks = picture(), picture()
    draw(drawn, parse(meta(labels=[["üüü", 0.1, 0.5]])))
    draw(marks, parse(meta(labels=[["??????", 0.1, 0.5]])))
    assert changed(drawn)[2] < changed(marks)[2]


def test_control_characters_are_drawn() -> None:
    assert parse(meta(labels=[["a\n\tb\x00", 0, 0]])).labels[0][0] == "a  b"


def test_frame_without_overlays_is_refused() -> None:
    assert parse(b"") == Overlays()
    assert parse(b"{}") == Overlays()
    assert parse(b'{"labels": [], "other": 3}') == Overlays()


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe",
        b"[]",
        b"3",
        b'{"labels": 3}',
        b'{"labels": [["x", 0.1]]}',
        b'{"labels": [[3, 0.1, 0.1]]}',
        b'{"rects": [[0, 0, 1]]}',
        b'{"rects": [["0", 0, 1, 1]]}',
        b'{"rects": [[true, 0, 1, 1]]}',
        b'{"rects": [[NaN, 0, 1, 1]]}',
        b'{"rects": [[0, 0, 1, 1%s]]}' % (b"0" * 400),
        b"[" * 30_000,
    ],
)
def test_broken_metadata_reaches_the_drawing(raw: bytes) -> None:
    with pytest.raises(ValueError, match="overlays of"):
        parse(raw)


def test_infinite_coordinates_reach_the_drawing() -> None:
    assert parse(b'{"rects": [[-Infinity, 0, Infinity, 1e300]]}').rects == ((0.0, 0.0, 1.0, 1.0),)
