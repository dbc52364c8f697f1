"""The open stream of a subscription: its events wait in a queue of their own, and end with it."""

from collections.abc import Callable

from vedette.nucleus.ipc import protocol
from vedette.nucleus.ipc.outbox import EventQueue

__all__ = ["Stream"]


class Stream:
    """A subscription's side of a connection; an ``EventStream`` for the operation that serves it."""

    def __init__(self, stream_id: int, event_shape: str, send: Callable[["Stream", bytes], None]) -> None:
        """``send`` takes this stream and a whole frame, from any thread."""
        self.queue = EventQueue()
        self.stream_id = stream_id
        self.open = True
        self._event_shape = event_shape
        self._send = send
        self._closers: list[Callable[[], None]] = []

    def send(self, payload: bytes) -> None:
        """Send one event; nothing happens when the stream has ended."""
        if self.open:
            self._send(self, protocol.event(self.stream_id, self._event_shape, payload))

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the stream ends."""
        self._closers.append(callback)

    def close(self) -> None:
        """End the stream; what waits is forgotten."""
        self.open = False
        for closer in self._closers:
            closer()
        self._closers.clear()
        self.queue.clear()
