"""The packets of a stream in the order of their numbers. No clock of its own, no I/O."""

from collections.abc import Iterator
from typing import Final

from vedette.rtsp.rtp import RtpPacket

# A packet that has not come after so many others, or after so long, is lost.
_MOST_HELD: Final = 64
_LONGEST_NS: Final = 40_000_000
# Numbers that lie further back are no late packets: the camera has begun anew.
_LATE: Final = 128


class Reordering:
    """Puts packets in order and tells which have others missing before them.

    With ``waits`` (datagrams) a gap is given a moment to be filled, and what is kept must not be changed by whoever
    brought it; without, it is a loss at once.
    """

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits
        self._expected: int | None = None
        self._source: int | None = None
        self._held: dict[int, RtpPacket] = {}
        self._held_since_ns = 0
        self._gap = False
        self._late = 0
        self.highest = 0
        """The greatest number so far, its wraps in the upper bits."""
        self.lost = 0
        """Packets that never came."""

    def add(self, packet: RtpPacket, now_ns: int) -> Iterator[tuple[RtpPacket, bool]]:
        """Yield what is in order now, each with whether packets are missing before it."""
        if packet.source != self._source:
            self._begin(packet)
        ahead = (packet.sequence - (self._expected or 0)) & 0xFFFF
        if ahead == 0:
            yield self._passed(packet)
        elif ahead >= 0x10000 - _LATE and self._late < _LATE:
            self._late += 1
            return
        elif not self._waits or ahead > 0x8000:
            self._skip_to(packet.sequence)
            yield self._passed(packet)
        else:
            if not self._held:
                self._held_since_ns = now_ns
            self._held[packet.sequence] = packet
        if self._held:
            yield from self._release(now_ns)

    def next_of_run(self) -> int | None:
        """Return which number alone would be in order now; None while others are held."""
        return None if self._held else self._expected

    def ran(self, count: int) -> None:
        """So many packets have passed in order, from :meth:`next_of_run` on."""
        self.highest += count
        self._expected, self._late = self.highest + 1 & 0xFFFF, 0

    def _release(self, now_ns: int) -> Iterator[tuple[RtpPacket, bool]]:
        overdue = len(self._held) > _MOST_HELD or now_ns - self._held_since_ns > _LONGEST_NS
        while self._held:
            following = self._held.pop(self._expected or 0, None)
            if following is None:
                if not overdue:
                    return
                self._skip_to(min(self._held, key=lambda number: (number - (self._expected or 0)) & 0xFFFF))
                continue
            yield self._passed(following)
        self._held_since_ns = now_ns

    def _passed(self, packet: RtpPacket) -> tuple[RtpPacket, bool]:
        gap, self._gap, self._late = self._gap, False, 0
        if packet.sequence < self.highest & 0xFFFF:
            self.highest += 0x10000
        self.highest = self.highest & ~0xFFFF | packet.sequence
        self._expected = packet.sequence + 1 & 0xFFFF
        return packet, gap

    def _skip_to(self, sequence: int) -> None:
        self.lost += (sequence - (self._expected or 0)) & 0xFFFF
        self._expected, self._gap = sequence, True

    def _begin(self, packet: RtpPacket) -> None:
        self._gap = self._source is not None
        self._source, self._expected, self.highest = packet.source, packet.sequence, packet.sequence
        self._held.clear()
