"""What a frame in a slot looks like."""

from typing import NamedTuple

from .errors import RingError

I420 = 1
"""Planes Y, U, V behind one another without padding, U and V at half width and height; width and height are even."""
BGR24 = 2
"""(height, width, 3) uint8, blue first, without padding."""
MOST_PIXELS = 1 << 26
"""Twice a camera of 8K. Memory that a writer only says it has becomes real when a reader looks at it, at the reader's
cost."""


class FrameHeader(NamedTuple):
    """Describes the frame in a slot.

    ``sequence`` counts the ring's frames (the writer sets it). The capture times are those of the packet the frame was
    decoded from: Unix time and CLOCK_MONOTONIC, both in nanoseconds; the latter compares across processes of a machine.
    """

    sequence: int
    capture_wall_ns: int
    capture_mono_ns: int
    width: int
    height: int
    pixel_format: int


def frame_bytes(pixel_format: int, width: int, height: int) -> int:
    """Return the size in bytes of a frame.

    :raises RingError: for an unknown format, a size below 1 or beyond all cameras, or an odd size in I420.
    """
    if width * height > MOST_PIXELS:
        raise RingError("a frame of {}x{} pixels is larger than {}".format(width, height, MOST_PIXELS))
    if width < 1 or height < 1:
        raise RingError("a frame of {}x{} pixels cannot be".format(width, height))
    if pixel_format == BGR24:
        return width * height * 3
    if pixel_format == I420:
        if width % 2 or height % 2:
            raise RingError("I420 takes even sizes, got {}x{}".format(width, height))
        return width * height * 3 // 2
    raise RingError("pixel format {} is unknown, expected {} (I420) or {} (BGR24)".format(pixel_format, I420, BGR24))
