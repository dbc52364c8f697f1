"""What waits to be written to one client: answers first, then events, each stream with a bound of its own."""

from collections import deque
from collections.abc import Iterator
from typing import Final

__all__ = ["EVENT_BYTES", "EVENT_MESSAGES", "EventQueue", "Outbox"]

EVENT_MESSAGES: Final = 512
EVENT_BYTES: Final = 4 * 1024 * 1024


class EventQueue:
    """Events of one subscription; when it is full the oldest are dropped and counted."""

    def __init__(self, messages: int = EVENT_MESSAGES, size: int = EVENT_BYTES) -> None:
        """Keep at most so many messages, and at most so many bytes (but always the newest message)."""
        self._messages = messages
        self._size = size
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0
        """Events that nobody will get, since the stream began."""

    def put(self, frame: bytes) -> None:
        """Add an event; makes room by dropping the oldest."""
        while self._frames and (len(self._frames) >= self._messages or self._bytes + len(frame) > self._size):
            self._bytes -= len(self._frames.popleft())
            self.dropped += 1
        self._frames.append(frame)
        self._bytes += len(frame)

    def take(self) -> bytes | None:
        """Remove and return the oldest event, None when there is none."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    def clear(self) -> None:
        """Forget what waits, for a stream that ended."""
        self._frames.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)


class Outbox:
    """Frames in the order in which they are to be written."""

    def __init__(self) -> None:
        self._answers: deque[bytes] = deque()
        self._ready: deque[EventQueue] = deque()
        self.answer_bytes = 0
        """Bytes of answers that wait; whoever asks without reading the answers is not read any further."""

    def answer(self, frame: bytes) -> None:
        """Add an answer. It overtakes events, so a subscription's answer always precedes its events."""
        self._answers.append(frame)
        self.answer_bytes += len(frame)

    def event(self, queue: EventQueue, frame: bytes) -> None:
        """Add an event of a stream; across streams they go out in the order in which they came."""
        before = len(queue)
        queue.put(frame)
        # One turn for each event that waits: an event that pushed others out takes over one of their turns.
        if len(queue) > before:
            self._ready.append(queue)

    def __iter__(self) -> Iterator[bytes]:
        """Remove and give out frames until nothing waits."""
        while True:
            if self._answers:
                frame = self._answers.popleft()
                self.answer_bytes -= len(frame)
                yield frame
            elif self._ready:
                event = self._ready.popleft().take()
                if event is not None:
                    yield event
            else:
                return

    def clear(self) -> None:
        """Forget everything, for a connection that ended."""
        self._answers.clear()
        self._ready.clear()
        self.answer_bytes = 0
