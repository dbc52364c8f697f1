"""Packets to frames: one decoder, and the capture times of the packets that frames come from."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from vedette_camera_ingest.events import Received
from vedette_camera_ingest.scaling import MAX_PIXELS

_REMEMBERED: Final = 64
_MOST_THREADS: Final = 4


class Captured(NamedTuple):
    """A frame and when its packet was received, ns."""

    frame: Any
    mono_ns: int
    wall_ns: int


class Decoder:
    """Decodes with libav's ``context``, which has not been opened yet."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._received: OrderedDict[int, Received] = OrderedDict()
        threads = threads_for(context.width or 0, context.height or 0, len(os.sched_getaffinity(0)))
        context.thread_count = threads
        context.thread_type = "FRAME" if threads > 1 else "SLICE"

    def decode(self, received: Received) -> Iterator[Captured]:
        """Yield the frames that this packet completes, in the order of display.

        :raises av.FFmpegError: when the packet cannot be decoded; the next key frame makes it good.
        """
        packet = received.packet
        if packet.pts is not None:
            self._received[packet.pts] = received
            if len(self._received) > _REMEMBERED:
                self._received.popitem(last=False)
        for frame in self._context.decode(packet):
            yield self._captured(frame, received)

    def decode_alone(self, received: Received) -> Iterator[Captured]:
        """Yield the frame of one key packet at once, without waiting for those that follow it."""
        self._context.flush_buffers()
        yield from self.decode(received)
        for frame in self._context.decode(None):
            yield self._captured(frame, received)
        self._context.flush_buffers()

    def _captured(self, frame: Any, newest: Received) -> Captured:
        origin = self._received.pop(frame.pts, newest) if frame.pts is not None else newest
        return Captured(frame, origin.mono_ns, origin.wall_ns)


def threads_for(width: int, height: int, cores: int) -> int:
    """Return how many threads decode a stream.

    One up to 2 megapixels: every thread more costs about 7 % of CPU and delays the picture by a frame. Larger streams
    need them: H.265 in 4K takes longer to decode than 40 ms on one core of a small device.
    """
    if width * height <= MAX_PIXELS:
        return 1
    return max(1, min(_MOST_THREADS, cores))
