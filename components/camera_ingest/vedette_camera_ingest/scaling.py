"""The size in which a camera's frames are delivered (CAM-08)."""

from typing import Final

LONG_SIDE: Final = 1920
SHORT_SIDE: Final = 1080
MAX_PIXELS: Final = LONG_SIDE * SHORT_SIDE
MOST_DECODED_PIXELS: Final = 8192 * 4608
"""8K and a little. What claims to be larger is not decoded: it would take gigabytes."""


def delivered_size(width: int, height: int) -> tuple[int, int]:
    """Return the size for a stream of ``width`` x ``height`` pixels; both even.

    Up to 2 megapixels it is the stream's own. Over that it is the largest in 1920x1080, or in 1080x1920 for an upright
    stream, that keeps the aspect ratio: 3840x2160 -> 1920x1080, 2560x1920 -> 1440x1080, 2160x3840 -> 1080x1920.

    :raises ValueError: for a size under 2x2.
    """
    if width < 2 or height < 2:
        raise ValueError(f"a picture of {width}x{height} pixels is too small, expected at least 2x2")
    if width * height <= MAX_PIXELS:
        return width - width % 2, height - height % 2
    box = (LONG_SIDE, SHORT_SIDE) if width >= height else (SHORT_SIDE, LONG_SIDE)
    scale = min(box[0] / width, box[1] / height)
    return _even(width * scale, box[0]), _even(height * scale, box[1])


def _even(size: float, limit: int) -> int:
    return max(2, min(limit, 2 * round(size / 2)))
