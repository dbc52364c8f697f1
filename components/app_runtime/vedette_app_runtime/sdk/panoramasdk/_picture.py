"""The pixels of one frame, in the cheapest form that is still valid."""

import contextlib
import threading
from typing import Any, Iterator, Optional, Set, Tuple

import numpy as np

from ._conversion import i420_to_bgr
from ._rings import BGR24, I420, FrameHeader, RingMemory
from ._rings.calls import FrameSource


class Picture:
    """A frame: leased from the camera's ring at first, a copy of our own once something wants it for longer.

    * Untouched, it is the leased I420 memory: nothing was copied.
    * When :attr:`image` is first asked for, BGR is made of it, and that array is the picture from then on.
    * When the lease must go back (:meth:`keep`) before that, the I420 bytes are copied. That happens only to pictures
      that something still refers to.
    """

    def __init__(self, header: FrameHeader, pixels: Any, place: "Optional[Tuple[RingMemory, int]]" = None) -> None:
        self.header = header
        self.shown: Set[str] = set()
        """Output ports that show it as it is."""
        self._pixels: Optional[np.ndarray[Any, Any]] = np.frombuffer(pixels, np.uint8)
        self._leased = True
        self._image: Optional[np.ndarray[Any, Any]] = None
        self._place = place
        self._lock = threading.Lock()
        self._lent = 0
        self._given_back = threading.Condition(self._lock)

    @property
    def image(self) -> "np.ndarray[Any, Any]":
        """The picture as (height, width, 3) uint8, BGR; always the same array, writable."""
        return self.make_image()

    @property
    def is_image(self) -> bool:
        """Whether BGR was made of it."""
        return self._image is not None

    def make_image(self) -> "np.ndarray[Any, Any]":
        """Make BGR of it unless that was done; return the array of :attr:`image`."""
        with self._lock:
            if self._image is None:
                assert self._pixels is not None  # noqa: S101 - one of the two is always there
                width, height = self.header.width, self.header.height
                if self.header.pixel_format == BGR24:
                    self._image = self._pixels.reshape(height, width, 3).copy()
                else:
                    self._image = i420_to_bgr(self._pixels, width, height)
                self._pixels = None
            return self._image

    def replace(self, image: "np.ndarray[Any, Any]") -> None:
        """Make ``image`` (height, width, 3) uint8 the picture."""
        with self._lock:
            self._image = image
            self._pixels = None

    @contextlib.contextmanager
    def lent(self) -> "Iterator[FrameSource]":
        """Yield the frame as a model server can see it; the lease does not end before that is over.

        Leased pixels are shown where they lie. Once there is an image, which the application may have drawn on, that
        is the frame.
        """
        with self._lock:
            header, leased = self.header, self._leased and self._pixels is not None and self._place is not None
            pixels, image = self._pixels, self._image
            self._lent += leased
        try:
            if leased and self._place is not None:
                memory, offset = self._place
                yield FrameSource(header.width, header.height, header.pixel_format, memory, offset)
            elif image is not None:
                height, width = image.shape[:2]
                yield FrameSource(width, height, BGR24, buffer=np.ascontiguousarray(image).reshape(-1))
            else:
                yield FrameSource(header.width, header.height, header.pixel_format, buffer=pixels)
        finally:
            if leased:
                with self._given_back:
                    self._lent -= 1
                    self._given_back.notify_all()

    def keep(self) -> None:
        """Stop using the leased memory: copy the pixels unless there is an image already.

        Waits for a model that looks at them.
        """
        with self._given_back:
            while self._lent:
                self._given_back.wait()
            if self._pixels is not None and self._leased:
                self._pixels = self._pixels.copy()
            self._leased = False

    def header_and_bytes(self) -> "tuple[FrameHeader, int]":
        """Return how :meth:`write` would publish the picture, and how many bytes that takes."""
        with self._lock:
            if self._image is None:
                assert self._pixels is not None  # noqa: S101
                return self.header, self._pixels.nbytes
            height, width = self._image.shape[:2]
            header = self.header._replace(width=width, height=height, pixel_format=BGR24)
            return header, height * width * 3

    def write(self, buffer: memoryview, header: FrameHeader) -> None:
        """Copy the picture into ``buffer``, in the format of ``header``."""
        target = np.frombuffer(buffer, np.uint8)
        with self._lock:
            if header.pixel_format == I420 and self._pixels is not None:
                np.copyto(target, self._pixels)
                return
        # Made BGR by another thread since header_and_bytes: the I420 bytes are gone, and so is the room they need.
        image = self.image
        if image.nbytes != target.nbytes:
            raise BufferError("the picture changed its format while it was being put")
        np.copyto(target.reshape(image.shape), image)
