"""What is encoded for whom: sizes, variants, and the pictures that come of them."""

from typing import Final, NamedTuple

SIZES: Final = (480, 640, 960, 1280, 1920)
"""Widths that are encoded: few, so that viewers share pictures."""


class PictureError(Exception):
    """A frame cannot be shown."""


class Variant(NamedTuple):
    """What is encoded once and shared by everybody who asks for the same. ``width``: at most, in pixels."""

    width: int
    quality: int = 75
    overlays: bool = True


class Picture(NamedTuple):
    """An annotated JPEG. Times: ``_wall_ns`` is Unix time, ``_mono_ns`` CLOCK_MONOTONIC.

    ``number`` grows with every picture of this process. ``ready_mono_ns``: when the application's frame reached us.
    ``fresh``: encoded as soon as it came; an older frame, encoded for somebody who asks later, says nothing of delays.
    ``ring``: the socket that it came from; a camera's pictures come from one of two.
    """

    number: int
    variant: Variant
    width: int
    height: int
    capture_wall_ns: int
    capture_mono_ns: int
    ready_mono_ns: int
    encoded_mono_ns: int
    fresh: bool
    jpeg: bytes
    ring: str = ""


def size_for(wanted_px: int, most_px: int = SIZES[-1]) -> int:
    """Return the smallest encoded width that looks sharp at ``wanted_px``, but none over ``most_px``."""
    sizes = [size for size in SIZES if size <= most_px]
    return next((size for size in sizes if size >= wanted_px * 0.9), sizes[-1])
