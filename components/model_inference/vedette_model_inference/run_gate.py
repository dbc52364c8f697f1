"""How many models compute at once, so that their threads do not fight for the same processor cores."""

import threading
from collections import deque


class RunGate:
    """Lets ``places`` runs go at once; the others wait in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._free = max(1, places)
        self._line: deque[object] = deque()

    def enter(self) -> None:
        """Wait for a place; :meth:`leave` gives it back."""
        with self._lock:
            if self._line or not self._free:
                ticket = object()
                self._line.append(ticket)
                while self._line[0] is not ticket or not self._free:
                    self._changed.wait()
                self._line.popleft()
                # The next in the line may go, too, when there is more than one place.
                self._changed.notify_all()
            self._free -= 1

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._free += 1
            if self._line:
                self._changed.notify_all()
