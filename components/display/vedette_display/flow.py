"""The pictures of one output on their way to one viewer: paced, and never more than the viewer has drawn."""

from collections.abc import Callable
from typing import Final, NamedTuple

from vedette_display.budget import WINDOW
from vedette_display.picture import Picture, Variant

LOST_S: Final = 5.0
"""A picture that is not confirmed for so long is given up, so that a confirmation that got lost stops nothing."""
BURST: Final = 2.0
"""Pictures that may come early: a camera's frames do not arrive to the millisecond."""


class Sent(NamedTuple):
    """A picture under way. ``at``: monotonic time, s."""

    at: float
    picture: Picture
    kept: bool


class Flow:
    """Paces one output for one viewer.

    The event loop owns it; :meth:`wants` alone may be called from the feed's thread, it only reads.
    """

    def __init__(
        self, output_id: str, variant: Variant, fps: float, wake: Callable[[], None], *, window: int = WINDOW
    ) -> None:
        self.output_id = output_id
        self.variant = variant
        self._fps = fps
        self._wake = wake
        self._window = window
        self._tokens = BURST
        self._tokens_at: float | None = None
        self._waiting: Picture | None = None
        self._waiting_kept = False
        self._under_way: dict[int, Sent] = {}
        self._full_since: float | None = None
        self._full_s = 0.0

    def set_pace(self, variant: Variant, fps: float) -> None:
        """Change size, quality or rate."""
        self.variant, self._fps = variant, fps

    def wants(self, now: float) -> bool:
        """Tell whether a picture made now would be sent."""
        return self._room() and self._tokens_by(now) >= 1.0

    def offer(self, picture: Picture, now: float, *, kept: bool = False) -> None:
        """Take a picture; a newer one takes the place of one that still waits."""
        if not self._room():
            return
        if not kept:
            self._tokens, self._tokens_at = self._tokens_by(now) - 1.0, now
        self._waiting, self._waiting_kept = picture, kept
        self._wake()

    def take(self, now: float) -> Sent | None:
        """Return the picture to send now, or None."""
        for number in [n for n, sent in self._under_way.items() if now - sent.at > LOST_S]:
            del self._under_way[number]
        picture, self._waiting = self._waiting, None
        if picture is None:
            return None
        sent = self._under_way[picture.number & 0xFFFFFFFF] = Sent(now, picture, self._waiting_kept)
        if not self._room():
            self._full_since = now
        return sent

    def drawn(self, number: int, now: float) -> Sent | None:
        """Take in the viewer's confirmation; return what was sent, or None when it is not known (any more)."""
        sent = self._under_way.pop(number, None)
        if self._full_since is not None and self._room():
            self._full_s += now - self._full_since
            self._full_since = None
        return sent

    def full_s(self, now: float) -> float:
        """Return for how many seconds since the last call the viewer was behind."""
        if self._full_since is not None:
            self._full_s += now - self._full_since
            self._full_since = now
        full_s, self._full_s = self._full_s, 0.0
        return full_s

    def _room(self) -> bool:
        return len(self._under_way) < self._window

    def _tokens_by(self, now: float) -> float:
        if self._tokens_at is None:
            return self._tokens
        return min(BURST, self._tokens + (now - self._tokens_at) * self._fps)
