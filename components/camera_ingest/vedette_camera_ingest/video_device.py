"""USB and other local cameras: Video4Linux devices, read through libav."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av

from vedette.messages import CameraState
from vedette.rings import RingWriter
from vedette.video_devices import (
    DeviceAddress,
    DeviceAddressError,
    Mode,
    choose,
    libav_options,
    modes_of,
    parse_address,
)
from vedette_camera_ingest.failure import CaptureError

_CODECS: Final = {"rawvideo": "raw video", "mjpeg": "MJPEG", "h264": "H.264"}
_MOST_LATE_NS: Final = 5_000_000_000

Show = Callable[[Any, int, int], None]
"""Takes a frame and its time: Unix and monotonic, ns."""


class VideoDevice:
    """Plays a device into ``show`` as it delivers; while nobody reads, frames are taken from it and dropped.

    ``address`` may say in which mode (``/dev/video0?size=1280x720``). ``beat`` is called with every frame: a device
    that hangs in the driver is noticed by its silence. ``opener`` is ``av.open``, ``modes`` tells what a device offers.
    """

    def __init__(
        self,
        address: str,
        ring: RingWriter,
        stop: threading.Event,
        *,
        beat: Callable[[], None] = lambda: None,
        failed_to_decode: Callable[[], None] = lambda: None,
        opener: Callable[..., Any] = av.open,
        modes: Callable[[Path], tuple[Mode, ...]] = modes_of,
    ) -> None:
        self._address = address
        self._path = Path(address.partition("?")[0])
        self._ring = ring
        self._stop = stop
        self._beat = beat
        self._failed_to_decode = failed_to_decode
        self._opener = opener
        self._modes = modes
        self.codec = ""
        """Known once the first frame is shown."""

    def play(self, show: Show) -> None:
        """Show frames until stop is set.

        :raises CaptureError: when the device cannot be opened, or delivers no more.
        """
        with self._open() as container:
            stream = container.streams.video[0]
            self.codec = _CODECS.get(stream.codec_context.name, stream.codec_context.name)
            shown = False
            try:
                for packet in container.demux(stream):
                    wall_ns, mono_ns = _captured(packet, time.time_ns(), time.monotonic_ns())
                    self._beat()
                    if self._stop.is_set():
                        return
                    if shown and not self._ring.readers:
                        continue
                    for frame in self._decoded(packet):
                        show(frame, wall_ns, mono_ns)
                        shown = True
            except (av.FFmpegError, OSError) as error:
                raise CaptureError(
                    CameraState.LOST, f"{self._path} delivers no more ({_reason(error)}): is it still plugged in?"
                ) from error
        raise CaptureError(CameraState.LOST, f"{self._path} delivers no more: is it still plugged in?")

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except av.InvalidDataError:
            self._failed_to_decode()
            return []

    def _open(self) -> Any:
        try:
            address = parse_address(self._address)
        except DeviceAddressError as error:
            raise CaptureError(CameraState.FAILED, str(error)) from error
        try:
            return self._opener(str(self._path), format="v4l2", options=self._options(address))
        except (av.FFmpegError, OSError) as error:
            number = getattr(error, "errno", None)
            if number in (errno.EACCES, errno.EPERM):
                state, why = CameraState.FAILED, "may not be read: add the component's user to the group video"
            elif number == errno.EBUSY:
                state, why = CameraState.BUSY, "is used by another program"
            elif number in (errno.ENODEV, errno.ENXIO, errno.ENOENT):
                state, why = CameraState.NOT_FOUND, "is not there: is the camera plugged in?"
            else:
                state, why = CameraState.NO_VIDEO, f"is no camera ({_reason(error)})"
            raise CaptureError(state, f"Device {self._path} {why}") from error

    def _options(self, address: DeviceAddress) -> dict[str, str]:
        try:
            return libav_options(choose(self._modes(self._path), address))
        except DeviceAddressError as error:
            raise CaptureError(CameraState.FAILED, f"Device {self._path} {error}") from error


def _captured(packet: Any, wall_ns: int, mono_ns: int) -> tuple[int, int]:
    """Return when the driver had the picture, Unix and monotonic, ns: it stamps buffers by CLOCK_MONOTONIC.

    A stamp that cannot be one (drivers without, or by another clock) gives way to the time of arrival.
    """
    if packet.pts is None or packet.time_base is None:
        return wall_ns, mono_ns
    late_ns = mono_ns - int(packet.pts * packet.time_base * 1_000_000_000)
    return (wall_ns - late_ns, mono_ns - late_ns) if 0 <= late_ns < _MOST_LATE_NS else (wall_ns, mono_ns)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
