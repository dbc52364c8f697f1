"""Packets to frames: one decoder, in hardware where there is one, and the times at which the frames were captured."""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import av

from vedette.hardware_decoding import Hardware, open_decoder
from vedette_camera_ingest.events import Received
from vedette_camera_ingest.pace import Effort
from vedette_camera_ingest.scaling import MAX_PIXELS, MOST_DECODED_PIXELS
from vedette_camera_ingest.timing import CaptureClock

_log = logging.getLogger(__name__)

SOFTWARE: Final = "software"
_REMEMBERED: Final = 64
_MOST_THREADS: Final = 4
# Packets that hardware may fail at, or be silent at, before software takes over: a profile it does not know fails at
# every one; reordering keeps back 16 pictures at most.
_MOST_FAILURES: Final = 24
_REFUSALS: Final = (av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError)

OpenHardware = Callable[[str, Hardware, bytes | None], Any]


class Captured(NamedTuple):
    """A frame and when it was captured, ns."""

    frame: Any
    mono_ns: int
    wall_ns: int


class Decoder:
    """Decodes what libav's ``context``, which has not been opened yet, is made for.

    ``clock`` has heard of every packet. ``hardware`` is tried in its order; software takes over, for as long as this
    decoder lives, when none is to be had or when it turns out not to decode this stream. ``opener`` is
    :func:`vedette.hardware_decoding.open_decoder`.
    """

    def __init__(
        self,
        context: Any,
        clock: CaptureClock,
        hardware: Sequence[Hardware] = (),
        *,
        opener: OpenHardware = open_decoder,
    ) -> None:
        self._software = context
        self._clock = clock
        self._received: OrderedDict[int, Received] = OrderedDict()
        self._failures = 0
        self._await_key = False
        self._effort = Effort.ALL
        context.options = {**context.options, "max_pixels": str(MOST_DECODED_PIXELS)}
        self._threads_set = False
        self._context, self.name = context, SOFTWARE
        for each in hardware:
            try:
                self._context, self.name = opener(context.name, each, context.extradata), each.name
                break
            except _REFUSALS as error:
                _log.info("%s is not to be had (%s)", each.name, type(error).__name__)

    def decode(self, received: Received) -> Iterator[Captured]:
        """Yield the frames that this packet completes, in the order of display.

        :raises av.FFmpegError: when the packet cannot be decoded; the next key frame makes it good.
        """
        packet = received.packet
        if packet.pts is not None:
            self._received[packet.pts] = received
            if len(self._received) > _REMEMBERED:
                self._received.popitem(last=False)
        if self._await_key and not packet.is_keyframe:
            return
        self._await_key = False
        for frame in self._frames(packet):
            yield self._captured(frame, received)

    def leave_out(self, effort: Effort) -> None:
        """Decode no more than ``effort`` from now on; hardware decodes everything, which costs it nothing."""
        if effort is not self._effort:
            self._effort = effort
            self._software.skip_frame = effort.value

    def decode_alone(self, received: Received) -> Iterator[Captured]:
        """Yield the frame of one key packet at once, without waiting for those that follow it."""
        self._context.flush_buffers()
        yield from self.decode(received)
        for frame in self._context.decode(None):
            yield self._captured(frame, received)
        self._context.flush_buffers()

    def _frames(self, packet: Any) -> list[Any]:
        if self.name == SOFTWARE:
            if not self._threads_set:
                self._set_threads(packet)
            return list(self._context.decode(packet))
        try:
            frames = list(self._context.decode(packet))
        except _REFUSALS as error:
            self._fail(type(error).__name__)
            return []
        if frames:
            self._failures = 0
        else:
            self._fail("no picture")
        return frames

    def _set_threads(self, packet: Any) -> None:
        """Choose how many threads decode by the size of the first picture, which a decoder of its own tells."""
        self._threads_set = True
        width, height = _size_of(packet, self._software)
        threads = threads_for(width, height, len(os.sched_getaffinity(0)))
        self._software.thread_count = threads
        self._software.thread_type = "FRAME" if threads > 1 else "SLICE"

    def _fail(self, reason: str) -> None:
        """Count what hardware has not decoded; give it up when that goes on."""
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            _log.warning("%s does not decode this stream (%s): software does from now on", self.name, reason)
            self._context, self.name, self._await_key = self._software, SOFTWARE, True

    def _captured(self, frame: Any, newest: Received) -> Captured:
        origin = self._received.pop(frame.pts, newest) if frame.pts is not None else newest
        mono_ns, wall_ns = self._clock.captured(origin.pts_ns, origin.mono_ns, origin.wall_ns)
        return Captured(frame, mono_ns, wall_ns)


def _size_of(packet: Any, context: Any) -> tuple[int, int]:
    """Return width and height of the picture in a packet; 0, 0 when it cannot be decoded by itself."""
    if context.width and context.height:
        return context.width, context.height
    taster = av.CodecContext.create(context.name, "r")
    taster.options, taster.extradata = context.options, context.extradata
    taster.thread_count = 1
    try:
        frame = next(iter([*taster.decode(packet), *taster.decode(None)]), None)
    except av.FFmpegError:
        return 0, 0
    return (frame.width, frame.height) if frame is not None else (0, 0)


def threads_for(width: int, height: int, cores: int) -> int:
    """Return how many threads decode a stream.

    One up to 2 megapixels: every thread more costs about 7 % of CPU and delays the picture by a frame. Larger streams
    need them: H.265 in 4K takes longer to decode than 40 ms on one core of a small device.
    """
    if width * height <= MAX_PIXELS:
        return 1
    return max(1, min(_MOST_THREADS, cores))
