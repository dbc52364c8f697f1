"""One tile's ring, read without waiting: the newest frame, and when it came."""

import logging
from typing import Final

from vedette.rings import FrameHeader, Lease, RingError, RingReader, connect
from vedette_display.overlay import Overlays, parse

logger = logging.getLogger(__name__)

RETRY_S: Final = 0.5
LIVE_S: Final = 2.5
"""After so long without a new frame a picture is not live any more; as on the page."""


class Player:
    """Follows the ring at ``path``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.overlays = Overlays()
        self.header: FrameHeader | None = None
        self.frames = 0
        self._reader: RingReader | None = None
        self._first = True
        self._retry_at = 0.0
        self._new_at = -LIVE_S

    def fileno(self) -> int | None:
        """Return what becomes readable with the next frame; None while there is no connection."""
        return None if self._reader is None else self._reader.fileno()

    def live(self, now: float) -> bool:
        """Tell whether new frames come."""
        return now - self._new_at < LIVE_S

    def take(self, now: float) -> Lease | None:
        """Return the newest frame if there is a new one; the caller releases it."""
        if self._reader is None:
            if now < self._retry_at:
                return None
            try:
                self._reader = RingReader(connect(self.path), 1)
                self._first = True
            except RingError as error:
                logger.debug("%s", error)
                self._retry_at = now + RETRY_S
                return None
        try:
            lease = self._reader.receive(0)
        except RingError as error:
            logger.debug("%s", error)
            self.close()
            self._retry_at = now + RETRY_S
            return None
        if lease is None:
            return None
        # The first is the last one there was, which may be old.
        if not self._first:
            self._new_at = now
        self._first = False
        self.frames += 1
        self.header = lease.header
        try:
            self.overlays = parse(lease.meta)
        except ValueError:
            self.overlays = Overlays()
        return lease

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
