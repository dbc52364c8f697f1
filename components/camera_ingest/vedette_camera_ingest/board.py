"""The state of one camera as its worker knows it, and the counters beside it."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from vedette.messages import CameraState
from vedette.redaction import redact
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.report import Report
from vedette_camera_ingest.source import Source

_RATE_WINDOW_S: Final = 5.0
_WALL = time.time


class StatusBoard:
    """Written by the capture, read by who sends statuses; ``changed`` is called after every change of state.

    ``dropped`` tells how many frames found every slot of the ring leased.
    ``clock`` is monotonic, ``wall_clock`` gives Unix time; both in seconds.
    """

    def __init__(
        self,
        source: Source,
        socket_path: str,
        coded_path: str = "",
        *,
        changed: Callable[[], None] = lambda: None,
        dropped: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = _WALL,
    ) -> None:
        self._source = source
        self._socket_path = socket_path
        self._coded_path = coded_path
        self._changed = changed
        self._count_dropped = dropped
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._state = CameraState.CONNECTING
        self._detail = ""
        self._since = wall_clock()
        self._next_try_at: float | None = None
        self._url = redact(source.url)
        self._codec: str | None = None
        self._source_size: tuple[int, int] | None = None
        self._size: tuple[int, int] | None = None
        self._frames = 0
        self._decode_errors = 0
        self._reconnects = 0
        self._last_frame_at: float | None = None
        self._clock_behind_s: float | None = None
        self._decoder: str | None = None
        self._recent: deque[float] = deque()

    @property
    def state(self) -> CameraState:
        """The present state."""
        with self._lock:
            return self._state

    @property
    def frames(self) -> int:
        """Frames decoded since the worker started."""
        with self._lock:
            return self._frames

    def enter(self, state: CameraState, detail: str = "") -> None:
        """Move to ``state``; ``since`` stays when it is the present one."""
        with self._lock:
            before = (self._state, self._detail, self._next_try_at)
            self._set(state, detail, None)
            news = before != (state, detail, None)
        if news:
            self._changed()

    def wait_for_next_try(self, error: CaptureError, delay_s: float) -> None:
        """Move to the state a try ended in, with the wait before the next one."""
        with self._lock:
            self._set(error.state, error.detail, self._clock() + delay_s)
            self._recent.clear()
        self._changed()

    def trying(self) -> None:
        """A try begins: the wait is over, the last cause stays until this try has another outcome."""
        with self._lock:
            self._next_try_at = None
        self._changed()

    def addressed(self, url: str) -> None:
        """Say where the stream is, once the secret has told."""
        with self._lock:
            self._url = redact(url)

    def found_codec(self, codec: str) -> None:
        """Say what the stream is encoded in, a name for people."""
        with self._lock:
            self._codec = codec

    def found_decoder(self, name: str) -> None:
        """Say what decodes, a name for people."""
        with self._lock:
            self._decoder = name

    def found_clock(self, behind_ns: int | None) -> None:
        """Say how far the camera's clock is behind this device's, ns."""
        with self._lock:
            self._clock_behind_s = None if behind_ns is None else round(behind_ns / 1e9, 3)

    def reconnected(self) -> None:
        """Count a connection that had to be made again."""
        with self._lock:
            self._reconnects += 1

    def decoded(self, source_size: tuple[int, int], size: tuple[int, int], captured_at: float | None = None) -> None:
        """Count a frame; the first one makes the camera live.

        :param captured_at: by the board's clock. The rate is counted by it: a second of pictures that waited while the
            stream was opened comes in one burst, and would read as 96 pictures a second of a camera that sends 25.
        """
        with self._lock:
            now = self._clock()
            self._frames += 1
            # A time that cannot be right (a camera's clock that leapt) is not counted by.
            if captured_at is None or not now - _RATE_WINDOW_S / 2 < captured_at <= now:
                captured_at = now
            self._recent.append(captured_at)
            while self._recent[0] < now - _RATE_WINDOW_S:
                self._recent.popleft()
            self._last_frame_at = self._wall_clock()
            self._source_size, self._size = source_size, size
            live = self._state is CameraState.LIVE
        if not live:
            self.enter(CameraState.LIVE)

    def failed_to_decode(self) -> None:
        """Count a packet the decoder could not use."""
        with self._lock:
            self._decode_errors += 1

    def status(self) -> Report:
        """Return the status as of now."""
        with self._lock:
            now = self._clock()
            waiting = self._next_try_at is not None
            return Report(
                camera_id=self._source.camera_id,
                name=self._source.name,
                state=self._state,
                detail=self._detail,
                since=self._since,
                next_try_s=round(max(0.0, (self._next_try_at or 0.0) - now), 1) if waiting else None,
                url=self._url,
                socket=self._socket_path,
                coded_socket=self._coded_path or None,
                pid=os.getpid(),
                codec=self._codec,
                source_width=self._source_size[0] if self._source_size else None,
                source_height=self._source_size[1] if self._source_size else None,
                width=self._size[0] if self._size else None,
                height=self._size[1] if self._size else None,
                fps=self._rate(now),
                frames=self._frames,
                dropped=self._count_dropped(),
                decode_errors=self._decode_errors,
                reconnects=self._reconnects,
                last_frame_at=self._last_frame_at,
                clock_behind_s=self._clock_behind_s,
                decoder=self._decoder,
            )

    def _set(self, state: CameraState, detail: str, next_try_at: float | None) -> None:
        if state is not self._state:
            self._since = self._wall_clock()
        self._state, self._detail, self._next_try_at = state, detail, next_try_at

    def _rate(self, now: float) -> float | None:
        recent = [at for at in self._recent if at >= now - _RATE_WINDOW_S]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return None
        # Up to now, so that the number falls when the pictures stop, not when they come again.
        span_s = max(recent[-1] - recent[0], (now - recent[0]) * (len(recent) - 1) / len(recent))
        return round((len(recent) - 1) / span_s, 2)
