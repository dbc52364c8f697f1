"""How many models compute at once, so that their threads do not fight for the same processor cores."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class RunGate:
    """Lets ``places`` runs go at once; the others wait in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._changed = threading.Condition()
        self._free = max(1, places)
        self._line: deque[object] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, and give it back."""
        with self._changed:
            if self._line or not self._free:
                ticket = object()
                self._line.append(ticket)
                while self._line[0] is not ticket or not self._free:
                    self._changed.wait()
                self._line.popleft()
                # The next in the line may go, too, when there is more than one place.
                self._changed.notify_all()
            self._free -= 1
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                if self._line:
                    self._changed.notify_all()
