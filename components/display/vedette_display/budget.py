"""How many pictures a page gets, how large and how good. Pure policy: no clock, no I/O.

80 pictures a second a page, shared by the tiles in view, 15 a second for one tile at most. On a slow link first the
frame rate goes down, then the quality, then the size, and the page says so.
"""

from typing import Final, NamedTuple

PAGE_PICTURES_S: Final = 80.0
TOP_FPS: Final = 15.0
MAX_WIDTH: Final = 1280
WINDOW: Final = 2
"""Pictures of a tile under way to the page that it has not drawn yet: more would only wait in buffers."""


class Level(NamedTuple):
    """One step of thrift."""

    fps_factor: float
    quality: int
    max_width: int


LEVELS: Final = (
    Level(1.0, 75, MAX_WIDTH),
    Level(0.5, 75, MAX_WIDTH),
    Level(0.5, 60, MAX_WIDTH),
    Level(0.5, 60, 480),
)

SLOW_SHARE: Final = 0.6
"""A link is slow when its windows are full for this share of the time: pictures wait for the page, not it for them."""
GOOD_SHARE: Final = 0.2
SLOW_SECONDS: Final = 2
GOOD_SECONDS: Final = 5
MOST_GOOD_SECONDS: Final = 60


def fps_share(tiles: int) -> float:
    """Return the frame rate of each of ``tiles`` tiles in view."""
    return min(TOP_FPS, PAGE_PICTURES_S / max(1, tiles))


class LinkBudget:
    """Steps through ``LEVELS`` by how full a page's windows were in each second.

    A step up that turns out wrong doubles the good seconds asked for before the next one, so that a link just too slow
    does not swing for ever.
    """

    def __init__(self) -> None:
        self._level = 0
        self._slow = self._good = 0
        self._needed = GOOD_SECONDS
        self._since_step_up: int | None = None

    @property
    def level(self) -> Level:
        """The present step."""
        return LEVELS[self._level]

    @property
    def reduced(self) -> bool:
        """Whether the page gets less than on a good link."""
        return self._level > 0

    def observe(self, full_share: float) -> bool:
        """Take in one second: for which share of it windows were full (0..1). True when the level changed."""
        if self._since_step_up is not None:
            self._since_step_up += 1
        self._slow = self._slow + 1 if full_share >= SLOW_SHARE else 0
        self._good = self._good + 1 if full_share <= GOOD_SHARE else 0
        if self._slow >= SLOW_SECONDS and self._level < len(LEVELS) - 1:
            if self._since_step_up is not None and self._since_step_up <= 2 * GOOD_SECONDS:
                self._needed = min(MOST_GOOD_SECONDS, self._needed * 2)
            self._move(1)
            self._since_step_up = None
            return True
        if self._good >= self._needed and self._level > 0:
            self._move(-1)
            self._since_step_up = 0
            return True
        return False

    def _move(self, steps: int) -> None:
        self._level += steps
        self._slow = self._good = 0
        if self._level == 0:
            self._needed = GOOD_SECONDS
