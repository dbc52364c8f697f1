"""Draws what an application put on a frame with ``add_label`` and ``add_rect``.

Panorama keeps overlays as metadata and the display draws them; the appliance's own style is not documented, so the
simulator's is followed: white labels whose bottom left corner is at (x, y), red rectangles. Everything scales with the
picture drawn on, so a label reads as well on a tile as on the whole screen.
"""

import json
import math
import unicodedata
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""

MAX_LABEL_CHARS: Final = 200
RED: Final = (48, 48, 255)
WHITE: Final = (255, 255, 255)
DARK: Final = (16, 16, 16)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_BOX_BRIGHTNESS: Final = 0.35
# OpenCV 5 draws UTF-8 with a font that covers Latin, Greek, Cyrillic and CJK; OpenCV 4 has ASCII only and makes every
# other byte a question mark.
_DRAWS_UNICODE: Final = int(cv2.__version__.split(".")[0]) >= 5


class Overlays(NamedTuple):
    """Labels as (text, x, y), rectangles as (left, top, right, bottom), in parts of the picture from 0 to 1."""

    labels: tuple[tuple[str, float, float], ...] = ()
    rects: tuple[tuple[float, float, float, float], ...] = ()


def parse(meta: bytes) -> Overlays:
    """Read a frame's metadata: JSON ``{"labels": [[text, x, y]], "rects": [[l, t, r, b]]}``; other keys are left alone.

    :raises ValueError: for anything else. It comes from the application's process and is not to be trusted.
    """
    if not meta:
        return Overlays()
    try:
        data = json.loads(meta)
        if not isinstance(data, dict):
            raise TypeError
        labels = tuple((_text(text), _part(x), _part(y)) for text, x, y in data.get("labels", ()))
        rects = tuple(
            (_part(left), _part(top), _part(right), _part(bottom)) for left, top, right, bottom in data.get("rects", ())
        )
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"overlays of {len(meta)} bytes are not understood, expected labels [text, x, y] and rects [l, t, r, b]"
        ) from error
    return Overlays(labels, rects)


def draw(image: Image, overlays: Overlays) -> None:
    """Draw ``overlays`` into ``image``, clipped at its borders."""
    for rect in overlays.rects:
        _draw_rect(image, rect)
    for text, x, y in overlays.labels:
        if text:
            _draw_label(image, text, x, y)


def drawable(text: str, *, draws_unicode: bool = _DRAWS_UNICODE) -> str:
    """Return ``text`` as this OpenCV can draw it; without Unicode, accents are taken off and the rest left out."""
    if draws_unicode:
        return text
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("–", "-").replace("°", " deg"))
    return plain.encode("ascii", "ignore").decode()


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError
    clean = "".join(char if char.isprintable() else " " for char in text[:MAX_LABEL_CHARS])
    return drawable(clean.strip())


def _part(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    if math.isnan(value):
        raise ValueError
    return min(1.0, max(0.0, float(value)))


def _draw_rect(image: Image, rect: tuple[float, float, float, float]) -> None:
    height, width = image.shape[:2]
    thickness = max(2, round(height / 300))
    xs, ys = sorted((rect[0], rect[2])), sorted((rect[1], rect[3]))
    # Half the line lies inside even at the border: an add_rect(0, 0, 1, 1) shows on all four sides.
    inset = thickness // 2
    corners = [
        (
            min(width - 1 - inset, max(inset, round(x * (width - 1)))),
            min(height - 1 - inset, max(inset, round(y * (height - 1)))),
        )
        for x, y in zip(xs, ys, strict=True)
    ]
    cv2.rectangle(image, corners[0], corners[1], DARK, thickness + 2)
    cv2.rectangle(image, corners[0], corners[1], RED, thickness)


def _draw_label(image: Image, text: str, x: float, y: float) -> None:
    height, width = image.shape[:2]
    scale = max(0.45, height / 900)
    thickness = 1 if scale < 0.6 else max(2, round(scale * 1.6))
    (text_width, ascent), descent = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = max(2, round(ascent * 0.3))
    left = max(0, min(round(x * width) - pad, width - text_width - 2 * pad))
    bottom = min(height, max(round(y * height), ascent + descent + 2 * pad))
    top, right = max(0, bottom - ascent - descent - 2 * pad), min(width, left + text_width + 2 * pad)
    box = image[top:bottom, left:right]
    cv2.convertScaleAbs(box, box, _BOX_BRIGHTNESS)
    cv2.putText(image, text, (left + pad, bottom - pad - descent), _FONT, scale, WHITE, thickness, cv2.LINE_AA)
