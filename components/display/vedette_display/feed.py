"""Reads one output's ring while somebody looks at it, and encodes what is wanted."""

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import count
from typing import TYPE_CHECKING, Final

from vedette.log_events import OUTPUT, about
from vedette.rings import Lease, RingError, RingReader, connect
from vedette_display.picture import Picture, PictureError, Variant

if TYPE_CHECKING:
    from vedette_display.overlay import Overlays

logger = logging.getLogger(__name__)

RETRY_S: Final = 0.5
POLL_S: Final = 0.1
"""How soon a viewer who asks for another size of a picture that does not move gets it."""
LOCATE_S: Final = 0.3
"""How often it is asked whether better pictures are elsewhere now."""
CREDIT: Final = 2
"""One lease is kept while the next frame is awaited: see POLL_S."""

numbers = count(1)
"""Picture numbers; of the whole process, so that a number never comes twice on one tile."""


class Feed:
    """One output's pictures.

    ``locate`` tells the ring's socket, None while it is not known. ``wanted`` tells which variants some viewer takes
    now (monotonic time, s). ``deliver`` gets each picture; all three are called on the feed's thread.
    """

    def __init__(
        self,
        output_id: str,
        locate: Callable[[], str | None],
        wanted: Callable[[float], AbstractSet[Variant]],
        deliver: Callable[[Picture], None],
    ) -> None:
        self.output_id = output_id
        self._locate = locate
        self._wanted = wanted
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"feed-{output_id}", daemon=True)
        self._said = ""
        self.rejected = 0
        """Frames or overlays that could not be read."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the feed to end; it does within ``POLL_S`` and one picture."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def run(self) -> None:
        """Read until stopped, connecting again when the application's end of the ring goes."""
        while not self._stop.is_set():
            self._attempt()

    def _attempt(self) -> None:
        try:
            self.run_once()
        except RingError as error:
            self._say(logging.INFO, str(error))
            self._stop.wait(RETRY_S)

    def run_once(self) -> None:
        """Read one connection until it ends or the feed is stopped.

        :raises RingError: when the ring cannot be reached or is gone.
        """
        path = self._locate()
        if path is None:
            raise RingError("nobody tells where its pictures are")
        # Not before somebody looks, and on the feed's own thread: OpenCV takes 29 MB and a moment.
        from vedette_display.overlay import Overlays

        sock = connect(path)
        reader = RingReader(sock, CREDIT)
        held: Lease | None = None
        try:
            self._say(logging.INFO, "connected")
            overlays, done, ready_mono_ns = Overlays(), set[Variant](), 0
            asked_at = time.monotonic()
            while not self._stop.is_set():
                if time.monotonic() - asked_at > LOCATE_S:
                    asked_at = time.monotonic()
                    if self._locate() not in (path, None):
                        return
                lease = reader.receive(POLL_S)
                # The first frame is the last one there was, which may be old.
                fresh = lease is not None and held is not None
                if lease is not None:
                    ready_mono_ns = time.monotonic_ns()
                    if held is not None:
                        held.release()
                    held, done = lease, set()
                    overlays = self._overlays(lease)
                if held is None:
                    continue
                for variant in self._wanted(time.monotonic()) - done:
                    done.add(variant)
                    self._encode(held, overlays, variant, ready_mono_ns, path, fresh=fresh)
        finally:
            if held is not None:
                held.release()
            reader.close()

    def _overlays(self, lease: Lease) -> "Overlays":
        from vedette_display.overlay import Overlays, parse

        try:
            return parse(lease.meta)
        except ValueError as error:
            self.rejected += 1
            self._say(logging.WARNING, str(error))
            return Overlays()

    def _encode(
        self, lease: Lease, overlays: "Overlays", variant: Variant, ready_mono_ns: int, path: str, *, fresh: bool
    ) -> None:
        from vedette_display.encoding import encode

        header = lease.header
        try:
            jpeg, width, height = encode(header, lease.buffer, overlays, variant)
        except (PictureError, RingError) as error:
            self.rejected += 1
            self._say(logging.WARNING, str(error))
            return
        self._deliver(
            Picture(
                next(numbers),
                variant,
                width,
                height,
                header.capture_wall_ns,
                header.capture_mono_ns,
                ready_mono_ns,
                time.monotonic_ns(),
                fresh,
                jpeg,
                path,
            )
        )

    def _say(self, level: int, words: str) -> None:
        """Log what is new: the same words every half second help nobody."""
        if words != self._said:
            self._said = words
            logger.log(level, "output %s: %s", self.output_id, words, extra=about(OUTPUT, self.output_id))
