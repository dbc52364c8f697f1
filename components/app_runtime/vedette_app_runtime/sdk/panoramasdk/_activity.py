"""Counts of what the application does with the SDK, for the host's status."""

import threading
import time
from collections import deque
from typing import Deque, Dict, Set

_CALLS_KEPT = 100


class Activity:
    """Counters of this process; any thread counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call_s: Deque[float] = deque(maxlen=_CALLS_KEPT)
        self.gets = 0
        self.puts = 0
        self.calls = 0
        self.last_activity = 0.0
        self._waiting: Set[int] = set()
        self.reads: Dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """Threads that wait in get() or call() at present."""
        return len(self._waiting)

    def wait(self) -> "_Waiting":
        """Note that a thread waits in the SDK: it works as it should, however long that takes.

        By its number, not by a count: a signal's handler may raise anywhere, and what it leaves behind ends with the
        thread's next wait.
        """
        return _Waiting(self._waiting)

    def got(self) -> None:
        """Count a get() of a video port that returned."""
        with self._lock:
            self.gets += 1
            self.last_activity = time.time()

    def put(self) -> None:
        """Count a put()."""
        with self._lock:
            self.puts += 1
            self.last_activity = time.time()

    def called(self, duration_s: float) -> None:
        """Count an answered call() that took this long, waiting included."""
        with self._lock:
            self.calls += 1
            self._call_s.append(duration_s)
            self.last_activity = time.time()

    def read(self, port: str) -> None:
        """Count a get() of a parameter port."""
        with self._lock:
            self.reads[port] = self.reads.get(port, 0) + 1

    def call_ms(self) -> float:
        """Median of the last calls in ms; -1 when there was none."""
        with self._lock:
            durations = sorted(self._call_s)
        return round(durations[len(durations) // 2] * 1000, 3) if durations else -1.0


class _Waiting:
    """A context manager; a generator would cost every call of a model several times what this one does."""

    __slots__ = ("_own", "_waiting")

    def __init__(self, waiting: Set[int]) -> None:
        self._waiting = waiting
        self._own = threading.get_ident()

    def __enter__(self) -> None:
        self._waiting.add(self._own)

    def __exit__(self, *_error: object) -> None:
        self._waiting.discard(self._own)
