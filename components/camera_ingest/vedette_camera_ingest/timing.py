"""When a picture was captured: out of the stream's time stamps, the camera's clock and the times of arrival. No I/O.

Packets arrive late by a little and by varying amounts; never early. So the least delayed packet of the last seconds
tells where the stream's time stamps lie on this device's clock, drift of the camera's clock included, and the others
are put where their stamps say. What even that packet was late is told by the camera's sender reports, when its clock
agrees with this device's.
"""

from typing import Final

_SECOND: Final = 1_000_000_000
# Twice so long a window: short enough for clocks that drift by 100 ppm (1 ms), long enough to hold a prompt packet.
_HALF_WINDOW_NS: Final = 5 * _SECOND
# Stamps go back by less for the sake of B-frames.
_JUMP_BACK_NS: Final = 1 * _SECOND
# More than this behind the promptest packet is no delay any more but a clock that runs wrong.
_MOST_BEHIND_NS: Final = 10 * _SECOND
# A camera's encoder and network take less; a clock that is further off is not set by the same time servers.
_MOST_LATENCY_NS: Final = 2 * _SECOND


class _LowestOfLate:
    """The lowest value of the last five to ten seconds."""

    def __init__(self) -> None:
        self._since = 0
        self._now: int | None = None
        self._before: int | None = None

    def add(self, value: int, at: int) -> int:
        """Take a value at a monotonic time; return the lowest."""
        if self._now is None or at - self._since >= _HALF_WINDOW_NS:
            self._before = self._now
            self._since, self._now = at, value
        self._now = min(self._now, value)
        return self._now if self._before is None else min(self._now, self._before)


class CaptureClock:
    """Tells the times of one stream's pictures; all values in ns.

    Times never go back, never lie ahead of the packet's arrival, and follow the camera when it leaps.
    """

    def __init__(self) -> None:
        self._offsets = _LowestOfLate()
        self._delays = _LowestOfLate()
        self._offset: int | None = None
        self._newest_pts: int | None = None
        self._last = 0
        self.behind_ns: int | None = None
        """How far the camera's clock is behind this device's, the way here included; None when it does not tell."""

    @property
    def trusted(self) -> bool:
        """Whether the camera's clock agrees with this device's."""
        return self.behind_ns is not None and 0 <= self.behind_ns <= _MOST_LATENCY_NS

    def arrived(self, pts: int | None, camera_wall: int | None, mono: int, wall: int) -> None:
        """A packet has come: its time stamp, the camera's own time for it, both None where not told, and now."""
        if camera_wall is not None:
            self.behind_ns = self._delays.add(wall - camera_wall, mono)
        if pts is None:
            return
        if self._newest_pts is not None and pts < self._newest_pts - _JUMP_BACK_NS:
            self._begin_anew()
        offset = mono - pts
        lowest = self._offsets.add(offset, mono)
        if offset - lowest > _MOST_BEHIND_NS:
            self._begin_anew()
            lowest = self._offsets.add(offset, mono)
        self._offset = lowest
        self._newest_pts = pts if self._newest_pts is None else max(self._newest_pts, pts)

    def captured(self, pts: int | None, mono: int, wall: int) -> tuple[int, int]:
        """Return when a picture was captured, monotonic and Unix time.

        ``pts`` is the picture's stamp, ``mono`` and ``wall`` the arrival of the packet it comes from.
        """
        at = mono if pts is None or self._offset is None else min(mono, pts + self._offset)
        if self.trusted and self.behind_ns is not None:
            at -= self.behind_ns
        at = self._last = max(at, self._last + 1)
        return at, wall + at - mono

    def _begin_anew(self) -> None:
        self._offsets = _LowestOfLate()
        self._offset = self._newest_pts = None
