"""Video files as cameras: at their own pace or as fast as they are read, once or in a loop."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import av

from vedette.messages import CameraState
from vedette.rings import RingWriter
from vedette_camera_ingest.decoding import threads_for
from vedette_camera_ingest.failure import CaptureError, from_file
from vedette_camera_ingest.source import Source

_POLL_S: Final = 0.25
_LATE_S: Final = 0.5
_USUAL_RATE: Final = 25.0
_CODECS: Final = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG", "mpeg4": "MPEG-4 Part 2"}

Show = Callable[[Any, int, int], None]
"""Takes a frame and its time: Unix and monotonic, ns."""


def path_of(url: str) -> Path | None:
    """Return the path of a video file, or None when ``url`` has another scheme than ``file``."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme and "://" in url else Path(url)


class VideoFile:
    """Plays one file into ``show``.

    ``beat`` is called at least twice a second, as proof of life. ``opener`` is ``av.open``.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        ring: RingWriter,
        stop: threading.Event,
        *,
        beat: Callable[[], None] = lambda: None,
        failed_to_decode: Callable[[], None] = lambda: None,
        opener: Callable[..., Any] = av.open,
    ) -> None:
        self._path = path.absolute()
        self._source = source
        self._ring = ring
        self._stop = stop
        self._beat = beat
        self._failed_to_decode = failed_to_decode
        self._opener = opener
        self._due = time.monotonic()
        self.codec = ""
        """Known once the first frame is shown."""

    def play(self, show: Show) -> None:
        """Show every frame until stop is set.

        :raises CaptureError: with ENDED at the end of a file that is not looped; else why it cannot be played.
        """
        self._due = time.monotonic()
        while not self._stop.is_set():
            shown = 0
            for frame, lasts_s in self._frames():
                if not self._wait_for_turn(first=shown == 0):
                    return
                show(frame, time.time_ns(), time.monotonic_ns())
                # Its 3 MB serve for the next picture at once.
                del frame
                shown += 1
                self._due += lasts_s
            if self._stop.is_set():
                return
            if not shown:
                raise CaptureError(
                    CameraState.NO_VIDEO, f"Video file {self._path} holds no picture that can be decoded"
                )
            if not self._source.loop:
                raise CaptureError(CameraState.ENDED, f"{self._path.name} was played to its end")

    def _frames(self) -> Iterator[tuple[Any, float]]:
        """Yield each frame of the file and for how long it stays, s."""
        with self._open() as container:
            if not container.streams.video:
                raise CaptureError(CameraState.NO_VIDEO, f"File {self._path} has no video in it")
            stream = container.streams.video[0]
            context = stream.codec_context
            self.codec = _CODECS.get(context.name, context.name)
            context.thread_count = threads_for(context.width or 0, context.height or 0, 2)
            interval_s = 1 / float(stream.average_rate or _USUAL_RATE)
            held, held_at = None, 0.0
            for frame in self._decoded(container, stream):
                at = float(frame.pts * frame.time_base) if frame.pts is not None else held_at + interval_s
                if held is not None:
                    # Broken time stamps neither stop the file nor let it rush.
                    lasts_s = at - held_at
                    yield held, lasts_s if 0 < lasts_s < 60 else interval_s
                held, held_at = frame, at
            if held is not None:
                yield held, interval_s

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        packets = container.demux(stream)
        while not self._stop.is_set():
            try:
                packet = next(packets)
                yield from packet.decode()
            except StopIteration:
                return
            except av.InvalidDataError:
                self._failed_to_decode()
            except (av.FFmpegError, OSError) as error:
                raise CaptureError(
                    CameraState.FAILED, f"Video file {self._path} cannot be read to its end ({type(error).__name__})"
                ) from error

    def _open(self) -> Any:
        try:
            with self._path.open("rb"):
                pass
        except OSError as error:
            raise from_file(error, str(self._path)) from error
        try:
            return self._opener(str(self._path))
        except (av.FFmpegError, OSError) as error:
            raise CaptureError(CameraState.NO_VIDEO, f"File {self._path} is not a video that can be played") from error

    def _wait_for_turn(self, *, first: bool) -> bool:
        """Wait until the next frame is due; False when stop is set meanwhile.

        A file that nobody reads stands still after its first frame, which tells the size.
        """
        fastest = self._source.pace == "fastest"
        while not self._stop.is_set():
            self._beat()
            if fastest:
                if self._ring.wait_for_taken(_POLL_S):
                    return True
                continue
            if not first and not self._ring.readers:
                self._ring.wait_for_reader(_POLL_S)
                self._due = time.monotonic()
                continue
            late_s = time.monotonic() - self._due
            if late_s > _LATE_S:
                self._due += late_s
            if late_s >= 0:
                return True
            self._stop.wait(min(_POLL_S, -late_s))
        return False
