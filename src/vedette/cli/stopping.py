"""Ctrl-C and its like as an event that can be waited for."""

import signal
import threading
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any


class StopOnSignal(AbstractContextManager[threading.Event]):
    """Turns SIGINT, SIGTERM and SIGHUP into an event, ``stop`` where one is given; more of them change nothing."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._old: dict[int, Any] = {}

    def __enter__(self) -> threading.Event:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._old[number] = signal.signal(number, self._on_signal)
        return self._stop

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            # Who presses Ctrl-C twice must not break off what is left to do between here and the process's end.
            signal.signal(number, signal.SIG_IGN if self._stop.is_set() else handler)
