"""A frame as applications see it."""

import time
from typing import TYPE_CHECKING, Any, ContextManager, Dict, Optional, Tuple

import numpy as np

from ._annotations import Annotations, clamped
from ._picture import Picture
from ._rings.calls import FrameSource

if TYPE_CHECKING:
    from ._main_frames import MainFrames


class media:
    """One frame of one camera stream, with the labels and rectangles that the application adds.

    Made by ``port.get()`` only. Valid for as long as it, or its ``image``, is referred to.
    """

    def __init__(
        self,
        picture: Picture,
        stream_id: str,
        stream_uri: str,
        is_cached: bool,
        main: "Optional[MainFrames]" = None,
    ) -> None:
        self._picture = picture
        self._stream_id = stream_id
        self._stream_uri = stream_uri
        self._is_cached = is_cached
        self._main = main
        self._annotations = Annotations([], [])
        self._touched = False
        self._clip: Optional[Dict[str, Any]] = None

    @property
    def image(self) -> "np.ndarray[Any, Any]":
        """The picture: a writable array (height, width, 3) uint8, blue first; the same one on every access.

        It belongs to the application, stays valid over any number of ``get()``, and what is drawn on it is put.
        """
        self._touched = True
        return self._picture.image

    @image.setter
    def image(self, image: "np.ndarray[Any, Any]") -> None:
        """Replace the picture. (The appliance's reference calls it read-only; AWS's test utility has a setter.)"""
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise TypeError(
                "media.image takes a (height, width, 3) uint8 array, got {}".format(
                    "{} {}".format(image.dtype, image.shape) if isinstance(image, np.ndarray) else type(image).__name__
                )
            )
        self._touched = True
        self._picture.replace(image)

    def lent(self) -> "ContextManager[FrameSource]":
        """Return the frame as a model server can see it, for as long as the context lasts; for ``node.call``."""
        return self._picture.lent()

    @property
    def is_cached(self) -> bool:
        """Whether an earlier ``get()`` has returned this frame already."""
        return self._is_cached

    @property
    def stream_id(self) -> str:
        """Name of the camera."""
        return self._stream_id

    @property
    def stream_uri(self) -> str:
        """Address of the camera's stream, without credentials."""
        return self._stream_uri

    @property
    def time_stamp(self) -> Tuple[int, int]:
        """When the frame was captured: Unix time as (seconds, microseconds)."""
        microseconds = self._picture.header.capture_wall_ns // 1000
        return microseconds // 1000000, microseconds % 1000000

    def add_label(self, text: str, x: float, y: float) -> None:
        """Add a text whose lower left corner is at (x, y), in fractions of the picture from its upper left corner.

        It is drawn by the display, not on ``image``. Values outside 0..1 are limited to it.
        """
        self._annotations.labels.append([str(text), clamped(x), clamped(y)])

    def add_rect(self, left: float, top: float, right: float, bottom: float) -> None:
        """Add a rectangle, in fractions of the picture; as :meth:`add_label` otherwise."""
        self._annotations.rects.append([clamped(left), clamped(top), clamped(right), clamped(bottom)])

    def record(self, reason: str = "", before: float = 5.0, after: float = 10.0) -> None:
        """Ask for a recording of the output that this frame is put on, ``before`` seconds back and ``after`` on.

        An addition to AWS's SDK: an application that is to run there too asks ``hasattr(frame, "record")``. Kept where
        the device's display is configured to record, nothing otherwise. A wish during a recording makes it longer.
        """
        self._clip = {
            "id": str(time.time_ns()),
            "reason": str(reason)[:80],
            "before": max(0.0, min(60.0, float(before))),
            "after": max(0.0, min(60.0, float(after))),
        }

    def main(self, timeout: float = 5.0) -> "Optional[media]":
        """Return a new frame of the camera's main stream, where this one is of its small stream; else this one.

        An addition to AWS's SDK: an application that is to run there too asks ``hasattr(frame, "main")``. The stream
        is opened for this, which takes a second or two the first time, and stays open for 10 s after it was asked for
        last. It is a later moment than this frame's: ``time_stamp`` tells. What is added to it does not go to this
        frame; it may be put in its place.

        :param timeout: seconds to wait
        :return: None when there is no such frame in time
        """
        if self._main is None or not self._main.apart:
            return self
        picture = self._main.take(float(timeout))
        return None if picture is None else media(picture, self._stream_id, self._stream_uri, False)

    def __repr__(self) -> str:
        return "<media of {!r}, {}x{}{}>".format(
            self._stream_id,
            self._picture.header.width,
            self._picture.header.height,
            ", cached" if self._is_cached else "",
        )
