"""A camera's status, put together of what is known of each of its streams."""

import threading
import time
from collections.abc import Callable
from typing import Final

from vedette.messages import CameraSource, CameraState, CameraStatus, MainStreamStatus
from vedette.redaction import redact

_WALL: Final = time.time
_SHARED: Final = frozenset(MainStreamStatus.model_fields) & frozenset(CameraStatus.model_fields)


class StreamStatuses:
    """The newest status of both streams of one camera. Told and asked by several threads.

    A camera without a small stream has one stream, and nothing is added to its status.
    """

    def __init__(self, source: CameraSource, wall_clock: Callable[[], float] = _WALL) -> None:
        self._source = source
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._delivered = self._unwanted()
        self._main = MainStreamStatus(since=wall_clock(), url=redact(source.url))
        self._opened = 0
        self.substitute = ""
        """Why applications get the main stream in place of the small one; empty: they do not."""

    @property
    def delivered_state(self) -> CameraState:
        """State of the stream that applications get."""
        with self._lock:
            return self._delivered.state

    @property
    def delivered_detail(self) -> str:
        """What is said of that state."""
        with self._lock:
            return self._delivered.detail

    @property
    def main_state(self) -> CameraState:
        """State of the main stream."""
        with self._lock:
            return self._main.state

    def hear_delivered(self, status: CameraStatus) -> None:
        """Take in what is said of the stream that applications get."""
        with self._lock:
            self._delivered = status

    def hear_main(self, status: CameraStatus) -> None:
        """Take in what is said of the main stream."""
        with self._lock:
            if self._main.state is CameraState.PAUSED and status.state is not CameraState.PAUSED:
                self._opened += 1
            self._main = MainStreamStatus(**status.model_dump(include=set(_SHARED)))

    def main_is_closed(self, detail: str = "") -> None:
        """Say that the main stream is closed, and why it is where somebody wants it."""
        with self._lock:
            since = self._main.since if self._main.state is CameraState.PAUSED else self._wall_clock()
            self._main = MainStreamStatus(since=since, url=self._main.url, detail=detail)

    def status(self, users: list[str], purposes: list[str]) -> CameraStatus:
        """Return the whole."""
        with self._lock:
            if self._source.sub is None:
                return self._delivered.model_copy(update={"users": users})
            main = self._main.model_copy(update={"wanted_for": purposes, "opened": self._opened})
            added = {
                "users": users,
                "stream": "main" if self.substitute else "sub",
                "warning": self.substitute,
                "main": main,
            }
            return self._delivered.model_copy(update=added)

    def _unwanted(self) -> CameraStatus:
        source = self._source
        return CameraStatus(
            camera_id=source.camera_id,
            name=source.name,
            state=CameraState.PAUSED,
            detail="No application wants its pictures",
            since=self._wall_clock(),
            url=redact(source.url if source.sub is None else source.sub),
        )
