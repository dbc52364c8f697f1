"""What a camera's stream is made of, as it comes out of RTP. No I/O."""

from typing import Final, NamedTuple

MOST_PICTURE_BYTES: Final = 16 * 1024 * 1024
"""A key frame of 8K has 4 MB; what is longer is no picture."""


class Whole(NamedTuple):
    """One coded picture: NAL units with start codes (for MJPEG the image), its stamp, whether decoding can begin."""

    data: bytes
    stamp: int
    key: bool


class CodedPicture(NamedTuple):
    """One coded picture and its times.

    ``ticks`` counts the stream's clock without wraps and ``pts_ns`` says the same in ns; ``camera_ns`` is the camera's
    own Unix time for it, None until it has told. ``mono_ns`` and ``wall_ns`` are when its first packet came here.
    """

    data: bytes
    key: bool
    ticks: int
    pts_ns: int
    camera_ns: int | None
    mono_ns: int
    wall_ns: int
