"""The ring of one stream that the application puts on an output port."""

import socket
import threading
import time
from typing import Any, Callable, Dict, Optional

from ._advice import advise
from ._annotations import MAX_BYTES, encode
from ._media import media
from ._rings import ANY_UID, RingError, RingWriter

_ASK_AGAIN_S = 2.0
_WISH_S = 2.0
"""How long a wish for a recording travels beside the frames: a reader may miss the one it was made for."""


class Sink:
    """Publishes one stream's frames. The host gives the listening socket; until it comes, frames only count.

    Whoever reaches that socket may read: it lies in a folder that only the host's user enters, and inside a user
    namespace the peers' user ids mean nothing.
    """

    def __init__(self, port: str, stream: str, ask: "Callable[[str, str], None]") -> None:
        self.port = port
        self.stream = stream
        self.frames = 0
        self.width = 0
        self.height = 0
        self.left_out = 0
        """Labels and rectangles that did not fit beside their frame."""
        self._ask = ask
        self._asked_at: Optional[float] = None
        self._writer: Optional[RingWriter] = None
        self._lock = threading.Lock()
        self._clip: Optional[Dict[str, Any]] = None
        self._clip_at = 0.0

    def offer(self, sock: socket.socket) -> None:
        """Take the listening socket; it replaces an earlier one."""
        writer = RingWriter(sock, allowed_uids=ANY_UID, name="{}.{}".format(self.port, self.stream))
        with self._lock:
            previous, self._writer = self._writer, writer
        if previous is not None:
            previous.close()

    def show(self, frame: media) -> None:
        """Publish the frame if somebody reads; a cached one that is shown already and has nothing new is left alone."""
        picture, annotations, touched = frame._picture, frame._annotations, frame._touched  # noqa: SLF001 - ours, too
        with self._lock:
            header, nbytes = picture.header_and_bytes()
            self.frames += 1
            self.width, self.height = header.width, header.height
            if self._writer is None:
                self._ask_for_socket()
                return
            clip = self._wish(frame)
            changed = touched or any(annotations) or clip is not None or not frame.is_cached
            if not self._writer.readers or not (changed or self.port not in picture.shown):
                return
            try:
                slot = self._writer.reserve(nbytes)
                if slot is None:
                    return
                try:
                    picture.write(slot.buffer, header)
                except BaseException:
                    self._writer.cancel(slot)
                    raise
                meta, left_out = encode(annotations, clip)
                self._writer.publish(slot, header, meta)
            except (RingError, BufferError, OSError):
                # Closed while the process ends, no memory left, or drawn on in another thread just now: the next one.
                return
            self.left_out += left_out
            if left_out:
                advise(
                    "left out " + self.port,
                    "put() on {!r}: {} labels and rectangles of one frame are more than its {} kB beside the picture "
                    "hold; they were left out".format(self.port, left_out, MAX_BYTES // 1024),
                )
            picture.shown.add(self.port)

    def close(self) -> None:
        """End the ring."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _wish(self, frame: media) -> Optional[Dict[str, Any]]:
        """Return the wish for a recording that goes with a frame: its own, or a late one."""
        now = time.monotonic()
        wish = frame._clip  # noqa: SLF001 - ours, too
        if wish is not None:
            self._clip, self._clip_at = wish, now
        elif self._clip is not None and now - self._clip_at > _WISH_S:
            self._clip = None
        return self._clip

    def _ask_for_socket(self) -> None:
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at > _ASK_AGAIN_S:
            self._asked_at = now
            self._ask(self.port, self.stream)
