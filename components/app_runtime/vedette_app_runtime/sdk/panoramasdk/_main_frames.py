"""The main stream of a camera whose small one the application gets; asked for, and there a moment later."""

import select
import threading
import time
from typing import Callable, Optional

from ._picture import Picture
from ._streams import Stream

_ASK_AGAIN_S = 2.0
_LOOK_S = 0.1


class MainFrames:
    """Frames of one camera's main stream in this process. ``ask`` tells the host that they are wanted, for 10 s."""

    def __init__(self, stream: Stream, ask: "Callable[[], None]") -> None:
        self.apart = False
        """Whether the camera has a main stream beside the one that the application gets."""
        self.stream = stream
        self._ask = ask
        self._waiting = threading.Lock()

    def take(self, timeout_s: float) -> Optional[Picture]:
        """Return the newest frame; None when there is none in time."""
        deadline = time.monotonic() + max(0.0, timeout_s)
        if not self._waiting.acquire(timeout=max(0.0, timeout_s)):
            return None
        try:
            self.stream.give_back()
            asked_at = None
            while True:
                now = time.monotonic()
                if asked_at is None or now - asked_at > _ASK_AGAIN_S:
                    self._ask()
                    asked_at = now
                self.stream.adopt()
                picture = self.stream.receive()
                if picture is not None or now >= deadline:
                    return picture
                self._wait(min(_LOOK_S, deadline - now))
        finally:
            self._waiting.release()

    def abandon(self) -> None:
        """In a forked process: let go of what is the parent's."""
        self.stream.abandon()
        self._waiting = threading.Lock()

    def _wait(self, timeout_s: float) -> None:
        fd = self.stream.fileno()
        poller = select.poll()
        if fd is not None:
            poller.register(fd, select.POLLIN)
        poller.poll(timeout_s * 1000)
