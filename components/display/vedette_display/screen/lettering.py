"""Text as pictures at the screen's own resolution. OpenCV draws it, as on the page: one look everywhere."""

from collections import OrderedDict
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette_display.overlay import drawable

MOST_KEPT: Final = 256
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_PIXELS: Final = 22.0
"""Height of a capital letter at scale 1."""

Lettered = NDArray[np.uint8]
"""(height, width, 4) uint8: BGRA."""


class Lettering:
    """Draws lines of text; what was drawn lately is kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, tuple[int, int, int]], Lettered] = OrderedDict()

    def line(self, text: str, height: int, color: tuple[int, int, int] = (255, 255, 255)) -> Lettered:
        """Return a line with letters of ``height`` pixels on a transparent ground."""
        key = (text, height, color)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _draw(text, height, color)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found


def _draw(text: str, height: int, color: tuple[int, int, int]) -> Lettered:
    text = drawable(text) or " "
    scale = height / _PIXELS
    thickness = max(1, round(height / 11))
    (width, ascent), descent = cv2.getTextSize(text, _FONT, scale, thickness)
    edge = thickness + 1
    mask = np.zeros((ascent + descent + 2 * edge, width + 2 * edge), np.uint8)
    cv2.putText(mask, text, (edge, edge + ascent), _FONT, scale, 255, thickness, cv2.LINE_AA)
    image = np.empty((*mask.shape, 4), np.uint8)
    image[..., :3] = color
    image[..., 3] = mask
    return image
