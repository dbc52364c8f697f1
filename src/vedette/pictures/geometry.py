"""Where a frame lies in a model's input, and the way back for boxes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Placement:
    """A part of the frame (source, pixels) and where it comes to lie in the input (target, pixels)."""

    frame_width: int
    frame_height: int
    input_width: int
    input_height: int
    source: tuple[int, int, int, int]
    """left, top, width, height; even numbers, because chroma has half the size"""
    target: tuple[int, int, int, int]

    @property
    def fills(self) -> bool:
        """Whether nothing of the input is border."""
        return self.target == (0, 0, self.input_width, self.input_height)

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the input (0..1) as a point of the frame (0..1), not clipped."""
        scale, offset = self.factors
        return x * scale[0] + offset[0], y * scale[1] + offset[1]

    @property
    def factors(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """((scale x, scale y), (offset x, offset y)) of the way from the input (0..1) to the frame (0..1)."""
        left, top, width, height = self.source
        x, y, shown_width, shown_height = self.target
        scale_x = self.input_width / shown_width * width / self.frame_width
        scale_y = self.input_height / shown_height * height / self.frame_height
        offset_x = left / self.frame_width - x / self.input_width * scale_x
        offset_y = top / self.frame_height - y / self.input_height * scale_y
        return (scale_x, scale_y), (offset_x, offset_y)


def place(frame: tuple[int, int], size: tuple[int, int], how: Literal["stretch", "letterbox", "crop"]) -> Placement:
    """Place a frame of (width, height) in an input of (width, height)."""
    width, height = frame
    input_width, input_height = size
    source = (0, 0, width, height)
    target = (0, 0, input_width, input_height)
    if how == "letterbox":
        factor = min(input_width / width, input_height / height)
        shown = (max(1, round(width * factor)), max(1, round(height * factor)))
        target = ((input_width - shown[0]) // 2, (input_height - shown[1]) // 2, *shown)
    elif how == "crop":
        factor = min(width / input_width, height / input_height)
        part = (_even(input_width * factor, width), _even(input_height * factor, height))
        source = ((width - part[0]) // 4 * 2, (height - part[1]) // 4 * 2, *part)
    return Placement(width, height, input_width, input_height, source, target)


def _even(value: float, most: int) -> int:
    return max(2, min(most, round(value / 2) * 2))
