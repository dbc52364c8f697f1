"""Folders of images as cameras, in the order of their names: at a rate or as fast as read, once or in a loop."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import av

from vedette.messages import CameraState
from vedette.rings import RingWriter
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.scaling import MOST_DECODED_PIXELS
from vedette_camera_ingest.source import Source

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_USUAL_RATE: Final = 1.0
_MOST_BYTES: Final = 256 * 1024 * 1024
_POLL_S: Final = 0.25
_NUMBER: Final = re.compile(r"(\d+)")

Show = Callable[[Any, int, int], None]
"""Takes a frame and its time: Unix and monotonic, ns."""


class ImageFolder:
    """Plays a folder into ``show``. Images that are added while it plays are shown in the next round.

    ``beat`` is called at least twice a second, as proof of life. ``opener`` is ``av.open``.
    """

    codec = "images"

    def __init__(
        self,
        folder: Path,
        source: Source,
        ring: RingWriter,
        stop: threading.Event,
        *,
        beat: Callable[[], None] = lambda: None,
        failed_to_decode: Callable[[], None] = lambda: None,
        opener: Callable[..., Any] = av.open,
    ) -> None:
        self._folder = folder.absolute()
        self._source = source
        self._ring = ring
        self._stop = stop
        self._beat = beat
        self._failed_to_decode = failed_to_decode
        self._opener = opener
        self._interval_s = 1 / (source.max_fps or _USUAL_RATE)

    def play(self, show: Show) -> None:
        """Show every image until stop is set.

        :raises CaptureError: with ENDED at the end of a folder that is not looped; else why it cannot be played.
        """
        shown, due = 0, time.monotonic()
        while not self._stop.is_set():
            good = 0
            for path in self._images():
                frame = self._decoded(path)
                if frame is None:
                    continue
                if not self._wait_for_turn(due, first=not shown):
                    return
                show(frame, time.time_ns(), time.monotonic_ns())
                good, shown = good + 1, shown + 1
                due = max(due + self._interval_s, time.monotonic() - self._interval_s)
            if self._stop.is_set():
                return
            if not good:
                raise CaptureError(
                    CameraState.NO_VIDEO,
                    f"Folder {self._folder} holds no image that can be read, expected {', '.join(SUFFIXES)}",
                )
            if not self._source.loop:
                raise CaptureError(CameraState.ENDED, f"{self._folder.name} was played to its end")

    def _images(self) -> Iterator[Path]:
        try:
            # Hidden ones are on their way here (a copy that is renamed at its end), or what macOS puts beside pictures.
            paths = [
                path
                for path in self._folder.iterdir()
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
            ]
        except OSError as error:
            raise CaptureError(
                CameraState.FAILED, f"Folder {self._folder} may not be read by this device's component user"
            ) from error
        # picture2 before picture10.
        for path in sorted(
            paths,
            key=lambda path: [
                (not part.isdigit(), part.isdigit() and int(part), part) for part in _NUMBER.split(path.name) if part
            ],
        ):
            if self._stop.is_set():
                return
            self._beat()
            yield path

    def _decoded(self, path: Path) -> Any | None:
        """Return the image, None when it is none."""
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("too large")
            with self._opener(str(path), options={"max_pixels": str(MOST_DECODED_PIXELS)}) as container:
                frame = next(container.decode(video=0))
            return frame if frame.width >= 2 and frame.height >= 2 else None
        except (av.FFmpegError, OSError, ValueError, StopIteration, IndexError):
            self._failed_to_decode()
            return None

    def _wait_for_turn(self, due: float, *, first: bool) -> bool:
        """Wait until the next image is due; False when stop is set meanwhile.

        A folder that nobody looks at stands still after its first image, which tells the size.
        """
        while not self._stop.is_set():
            self._beat()
            if self._source.pace == "fastest":
                if self._ring.wait_for_taken(_POLL_S):
                    return True
                continue
            if not first and not self._ring.readers:
                self._ring.wait_for_reader(_POLL_S)
                continue
            left_s = due - time.monotonic()
            if left_s <= 0:
                return True
            self._stop.wait(min(_POLL_S, left_s))
        return False
