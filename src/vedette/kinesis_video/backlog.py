"""Fragments that wait for AWS, in bounded memory. Written by the encoder's thread, read by the upload's."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from vedette.kinesis_video.fragment import Fragment

DISORDER: Final = 8
"""An acknowledgement that so many later ones have overtaken does not come any more."""


class Lost(NamedTuple):
    """What had to make room since it was asked last."""

    fragments: int = 0
    seconds: float = 0.0


class Backlog:
    """Fragments by age. What is sent stays until it is acknowledged, so that another connection can send it again.

    ``most_bytes``: of all together; the oldest that was not sent goes first, then the oldest that AWS said nothing of.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[Fragment] = deque()
        self._sent: deque[Fragment] = deque()
        self._bytes = 0
        self._lost = Lost()
        self.dropped = 0
        """Fragments that had to make room since the start."""

    def put(self, fragment: Fragment) -> None:
        """Take a fragment in; others may have to make room."""
        with self._changed:
            self._waiting.append(fragment)
            self._bytes += fragment.size
            while self._bytes > self._most_bytes and len(self._waiting) + len(self._sent) > 1:
                self._give_up(self._waiting.popleft() if len(self._waiting) > 1 else self._sent.popleft())
            self._changed.notify_all()

    def _give_up(self, fragment: Fragment) -> None:
        self._bytes -= fragment.size
        self.dropped += 1
        self._lost = Lost(self._lost.fragments + 1, self._lost.seconds + fragment.seconds)

    def take(self, timeout_s: float, awake: Callable[[], bool] = lambda: True) -> Fragment | None:
        """Return the oldest that was not sent, None when there is none in time; it stays until ``release``."""
        with self._changed:
            if not self._waiting and awake():
                self._changed.wait(timeout_s)
            if not self._waiting:
                return None
            fragment = self._waiting.popleft()
            self._sent.append(fragment)
            return fragment

    def wake(self) -> None:
        """End a wait in ``take``."""
        with self._changed:
            self._changed.notify_all()

    def release(self, start_ms: int) -> Fragment | None:
        """Forget a fragment that AWS has; None when it is not among those sent.

        Acknowledgements may get lost: those sent long before it are forgotten too.
        """
        with self._changed:
            for number, fragment in enumerate(self._sent):
                if fragment.start_ms != start_ms:
                    continue
                del self._sent[number]
                self._bytes -= fragment.size
                for _ in range(number - DISORDER):
                    self._bytes -= self._sent.popleft().size
                return fragment
            return None

    def leave_out(self, start_ms: int | None) -> bool:
        """Give up one that was sent (the oldest for None); False when it is not among them."""
        with self._changed:
            for fragment in self._sent:
                if start_ms is None or fragment.start_ms == start_ms:
                    self._sent.remove(fragment)
                    self._give_up(fragment)
                    return True
            return False

    def again(self) -> None:
        """Let all that was sent without a word from AWS be sent again."""
        with self._changed:
            self._waiting.extendleft(reversed(self._sent))
            self._sent.clear()
            if self._waiting:
                self._changed.notify_all()

    def lost(self) -> Lost:
        """Return what had to make room since the last time."""
        with self._changed:
            lost, self._lost = self._lost, Lost()
            return lost

    @property
    def waiting_bytes(self) -> int:
        """Bytes that AWS has not acknowledged."""
        return self._bytes

    @property
    def unsent(self) -> int:
        """Fragments that were not sent."""
        return len(self._waiting)

    @property
    def unacknowledged(self) -> int:
        """Fragments that were sent, and of which AWS has not said that it has them."""
        return len(self._sent)
