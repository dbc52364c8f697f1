"""One output as H.264: encoded once for everybody who takes the same, and not at all while nobody does.

Shared by clips, recordings and the RTSP streams. ``encoders`` has the encoder: hardware where it works. One that fails
in the middle of a stream is replaced by software at once, with a key frame that carries the new parameter sets.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from vedette.hardware_encoding import EncoderFailed
from vedette.log_events import OUTPUT, about
from vedette.rings import Lease, RingError, RingReader, connect
from vedette_display.encoders import CLOCK_HZ, KEY_EVERY_S, AccessUnit, Encoder, Encoders, Shot, SoftwareEncoder
from vedette_display.picture import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LEAST_KEY_S: Final = 0.5
"""Key frames that newcomers ask for come no closer than this: a stranger who reconnects for ever costs no bandwidth."""
MAX_FPS: Final = 30.0
POLL_S: Final = 0.1
RETRY_S: Final = 0.5
LOCATE_S: Final = 0.3
"""How often it is asked whether better pictures are elsewhere now."""
STANDING_S: Final = 1.0
"""A picture that does not change is sent again after so long: players give up on a stream that says nothing."""


class VideoVariant(NamedTuple):
    """What is encoded once. ``width``: at most, in pixels."""

    width: int = 1920
    overlays: bool = True


Sink = Callable[[AccessUnit], None]


class VideoFeed:
    """Reads one output's ring while it has sinks, and encodes it for them.

    ``locate`` tells the ring's socket, None while it is not known. Sinks are called on the feed's thread, each begins
    with a key frame; one that raises is taken off.
    """

    def __init__(
        self, output_id: str, variant: VideoVariant, locate: Callable[[], str | None], encoders: Encoders
    ) -> None:
        self.output_id = output_id
        self.variant = variant
        self.encoded = 0
        self._locate = locate
        self._encoders = encoders
        self._lock = threading.Lock()
        self._sinks: list[Sink] = []
        self._fresh: set[int] = set()
        """Sinks (by id) that wait for a key frame."""
        self._thread: threading.Thread | None = None
        self._nobody = threading.Event()
        self._said = ""
        self._key_at = -LEAST_KEY_S
        self._key_wanted = False

    def want_key(self) -> None:
        """Make the next picture a key frame, or one soon after: somebody has come."""
        self._key_wanted = True

    def add(self, sink: Sink) -> None:
        """Begin to give access units to a sink."""
        with self._lock:
            self._sinks = [*self._sinks, sink]
            self._nobody.clear()
            self._fresh.add(id(sink))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"video-{self.output_id}", daemon=True)
                self._thread.start()

    def remove(self, sink: Sink) -> None:
        """Give it no more; without a sink nothing is read or encoded."""
        with self._lock:
            self._sinks = [other for other in self._sinks if other is not sink]
            self._fresh.discard(id(sink))
            if not self._sinks:
                self._nobody.set()

    @property
    def watched(self) -> bool:
        """Whether somebody takes it."""
        return bool(self._sinks)

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, which it does when nobody takes anything."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._sinks:
                    self._thread = None
                    return
            try:
                self._run_once()
            except (RingError, PictureError) as error:
                self._say(logging.INFO, str(error))
                self._nobody.wait(RETRY_S)

    def _run_once(self) -> None:
        path = self._locate()
        if path is None:
            raise RingError("nobody tells where its pictures are")
        reader = RingReader(connect(path), 2)
        encoder: Encoder | None = None
        held: Lease | None = None
        sent_at = 0.0
        asked_at = time.monotonic()
        try:
            while self._sinks:
                if time.monotonic() - asked_at > LOCATE_S:
                    asked_at = time.monotonic()
                    if self._locate() not in (path, None):
                        return
                lease = reader.receive(POLL_S)
                now = time.monotonic()
                if lease is not None:
                    if held is not None:
                        held.release()
                    held = lease
                    if now - sent_at < 1 / (MAX_FPS * 1.2):
                        continue
                elif held is None or (now - sent_at < STANDING_S and not self._fresh and not self._key_wanted):
                    continue
                planes = self._planes(held)
                width, height = planes.shape[1], planes.shape[0] * 2 // 3
                if encoder is None or (encoder.width, encoder.height) != (width, height):
                    if encoder is not None:
                        encoder.close()
                    encoder = self._encoders.open(width, height)
                    self._key_at = -LEAST_KEY_S
                encoder = self._deliver(encoder, planes, held, now)
                sent_at = now
        finally:
            if encoder is not None:
                encoder.close()
            if held is not None:
                held.release()
            reader.close()

    def _deliver(self, encoder: Encoder, planes: "NDArray[np.uint8]", lease: Lease, now: float) -> Encoder:
        """Encode one picture and hand out what comes; return the encoder for the next."""
        since = now - self._key_at
        key = since >= KEY_EVERY_S or ((bool(self._fresh) or self._key_wanted) and since >= LEAST_KEY_S)
        shot = Shot(round(now * CLOCK_HZ), lease.header.capture_wall_ns, lease.meta)
        try:
            units = encoder.encode(planes, shot, key=key)
        except EncoderFailed as error:
            self._encoders.failed(encoder.name, str(error))
            encoder.close()
            encoder = SoftwareEncoder(encoder.width, encoder.height)
            units = encoder.encode(planes, shot, key=True)
        for unit in units:
            self._hand_out(unit, now)
        return encoder

    def _hand_out(self, unit: AccessUnit, now: float) -> None:
        self.encoded += 1
        if unit.key:
            self._key_at, self._key_wanted = now, False
        for sink in self._sinks:
            if id(sink) in self._fresh:
                if not unit.key:
                    continue
                self._fresh.discard(id(sink))
            try:
                sink(unit)
            except Exception:
                logger.exception("a viewer of %s failed and is taken off", self.output_id)
                self.remove(sink)

    def _planes(self, lease: Lease) -> "NDArray[np.uint8]":
        from vedette_display.encoding import to_i420
        from vedette_display.overlay import Overlays, parse

        overlays = Overlays()
        if self.variant.overlays:
            try:
                overlays = parse(lease.meta)
            except ValueError as error:
                self._say(logging.WARNING, str(error))
        return to_i420(lease.header, lease.buffer, overlays, self.variant.width)

    def _say(self, level: int, words: str) -> None:
        if words != self._said:
            self._said = words
            logger.log(level, "video of %s: %s", self.output_id, words, extra=about(OUTPUT, self.output_id))


class VideoFeeds:
    """All outputs' feeds. ``locate`` tells where an output's ring is, ``encoders`` opens encoders."""

    def __init__(self, locate: Callable[[str], str | None], encoders: Encoders) -> None:
        self._locate = locate
        self._encoders = encoders
        self._lock = threading.Lock()
        self._feeds: dict[tuple[str, VideoVariant], VideoFeed] = {}

    def attach(self, output_id: str, variant: VideoVariant, sink: Sink) -> Callable[[], None]:
        """Give an output's access units to ``sink``; what is returned ends it."""
        with self._lock:
            for key in [key for key, feed in self._feeds.items() if not feed.watched]:
                del self._feeds[key]
            feed = self._feeds.get((output_id, variant))
            if feed is None:
                feed = VideoFeed(output_id, variant, lambda: self._locate(output_id), self._encoders)
                self._feeds[output_id, variant] = feed
            feed.add(sink)
        return lambda: feed.remove(sink)

    def want_key(self, output_id: str, variant: VideoVariant) -> None:
        """Ask for a key frame of what is being encoded."""
        with self._lock:
            feed = self._feeds.get((output_id, variant))
        if feed is not None:
            feed.want_key()

    @property
    def encoded(self) -> int:
        """Access units encoded for feeds that are known now."""
        return sum(feed.encoded for feed in list(self._feeds.values()))
