"""A camera for tests: a ring with frames whose pixels tell their number, and its status on the bus."""

import threading
import time
from pathlib import Path

import numpy as np

from vedette.bus.memory import MemoryBus
from vedette.messages import CameraSource, CameraState, CameraStatus
from vedette.rings import I420, FrameHeader, RingWriter, frame_bytes, listen


class StandInCamera:
    """Publishes a frame every ``interval_s`` (or when :meth:`show` is called, with None) while it is started.

    Frame n has luma 16 + n % 200 all over and no colour.
    """

    def __init__(
        self,
        source: CameraSource,
        bus: MemoryBus,
        folder: Path,
        *,
        width: int = 64,
        height: int = 48,
        interval_s: float | None = 0.02,
    ) -> None:
        self.source = source
        self.width, self.height = width, height
        self.state = CameraState.CONNECTING
        self.detail = ""
        self._bus = bus
        self._socket = str(folder / f"{source.name}.sock")
        self._interval_s = interval_s
        self._writer: RingWriter | None = None
        self._lock = threading.Lock()
        self._number = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"camera-{source.name}")
        self._thread.start()

    def start(self) -> None:
        """Begin to give frames; after :meth:`stop`, as a restarted worker does."""
        with self._lock:
            self._writer = RingWriter(listen(self._socket))
            self.state = CameraState.LIVE
        self._tell()

    def stop(self, state: CameraState = CameraState.UNREACHABLE, detail: str = "no answer for 5 s") -> None:
        """End the worker, as a lost camera does."""
        with self._lock:
            writer, self._writer = self._writer, None
            self.state, self.detail = state, detail
        if writer is not None:
            writer.close()
        self._tell()

    @property
    def readers(self) -> int:
        """How many processes read from it."""
        with self._lock:
            return 0 if self._writer is None else self._writer.readers

    def show(self) -> int:
        """Publish the next frame; return its number."""
        with self._lock:
            if self._writer is None:
                return self._number
            size = frame_bytes(I420, self.width, self.height)
            slot = self._writer.reserve(size)
            self._number += 1
            if slot is not None:
                luma = self.width * self.height
                pixels = np.frombuffer(slot.buffer, np.uint8)
                pixels[:luma] = 16 + self._number % 200
                pixels[luma:] = 128
                del pixels
                header = FrameHeader(0, time.time_ns(), time.monotonic_ns(), self.width, self.height, I420)
                self._writer.publish(slot, header)
            return self._number

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(5)
        self.stop()

    def _live(self) -> None:
        told = 0.0
        while not self._ended.wait(self._interval_s or 0.05):
            if self._interval_s is not None:
                self.show()
            if time.monotonic() - told > 0.3:
                told = time.monotonic()
                self._tell()

    def _tell(self) -> None:
        status = CameraStatus(
            camera_id=self.source.camera_id,
            name=self.source.name,
            state=self.state,
            detail=self.detail,
            since=time.time(),
            url=self.source.url,
            socket=self._socket if self._writer is not None else None,
        )
        self._bus.publish(CameraStatus.topic(status.camera_id), status.encode())
