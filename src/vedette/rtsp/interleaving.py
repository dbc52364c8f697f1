"""What comes over an RTSP connection that also carries the stream: packets behind ``$``, and answers. No I/O."""

import struct
from typing import Final, NamedTuple

from vedette.rtsp.errors import RtspError
from vedette.rtsp.message import MAX_BODY_BYTES, MAX_HEAD_BYTES, Response, ResponseReader
from vedette.rtsp.rtp import HEAD_BYTES

_DOLLAR: Final = ord("$")
# "$" and the channel, the length, RTP's first two bytes, its number; its stamp and source.
_HEADS: Final = struct.Struct(">HHHHQ")
# The longest packet and the longest answer fit twice.
ROOM_BYTES: Final = 2 * (MAX_HEAD_BYTES + MAX_BODY_BYTES)
# What is no packet and no answer is passed over up to here; then the connection is of no use any more.
_MOST_NONSENSE: Final = 256 * 1024


class Run(NamedTuple):
    """What the packets have in common that go on with a picture, as numbers: see :meth:`Interleaving.run`.

    ``head`` is RTP's first two bytes, ``number`` that of the first packet, ``times`` stamp and source behind one
    another; ``lead`` is how their payloads begin, which is not part of their bodies.
    """

    head: int
    number: int
    times: int
    lead: bytes


class Interleaving:
    """Takes bytes into :attr:`room` and cuts them; the packets it gives out lie there until more is taken."""

    def __init__(self, channels: tuple[int, int], rest: bytes = b"") -> None:
        self._channels = channels
        self._buffer = bytearray(ROOM_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = min(len(rest), ROOM_BYTES)
        self._buffer[: self._end] = rest[: self._end]
        self._nonsense = 0

    @property
    def room(self) -> memoryview:
        """Where the next bytes go; never empty once :meth:`next` has given None."""
        if self._start:
            left = self._buffer[self._start : self._end]
            self._buffer[: len(left)] = left
            self._start, self._end = 0, len(left)
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """So many bytes were put into the room."""
        self._end += count

    def next(self) -> tuple[int, memoryview] | Response | None:
        """Return the next packet with its channel, or an answer; None when more bytes are needed.

        :raises RtspError: when what comes has not been RTSP for long.
        """
        buffer = self._buffer
        while (have := self._end - self._start) >= 4:
            start = self._start
            if buffer[start] == _DOLLAR and buffer[start + 1] in self._channels:
                length = 4 + (buffer[start + 2] << 8 | buffer[start + 3])
                if have == 4 and length > 4:
                    return None
                if length > 8 and buffer[start + 4] >> 6 == 2:
                    if have < length:
                        return None
                    self._start += length
                    self._nonsense = 0
                    return buffer[start + 1], self._view[start + 4 : start + length]
                # Behind broken framing, what only looks like a packet would hold up everything for 64 kB: it is
                # passed over as one only if it is seen to end where another begins.
                whole = have > length and buffer[start + length] == _DOLLAR
                self._pass_over(length if whole else 1)
                continue
            if buffer.startswith(b"RTSP", start, self._end):
                try:
                    return self._answer()
                except RtspError:
                    self._pass_over(4)
                    continue
            self._pass_over(1)
        return None

    def run(self, like: Run, into: bytearray) -> int:
        """Append the bodies of the packets that come next and are ``like`` to ``into``; return how many there were.

        What is not whole or in any way different is left to :meth:`next`.
        """
        buffer, view, unpack, (head, number, times, lead) = self._buffer, self._view, _HEADS.unpack_from, like
        channel, skip, count = _DOLLAR << 8 | self._channels[0], 4 + HEAD_BYTES + len(lead), 0
        start, last = self._start, self._end - skip
        while start < last:
            mark, length, first, sequence, told = unpack(buffer, start)
            body, end = start + skip, start + 4 + length
            if (
                mark != channel
                or first != head
                or sequence != number
                or told != times
                or not body < end <= self._end
                or not buffer.startswith(lead, start + 4 + HEAD_BYTES)
            ):
                break
            into += view[body:end]
            start, number, count = end, number + 1 & 0xFFFF, count + 1
        if count:
            self._start, self._nonsense = start, 0
        return count

    def _answer(self) -> Response | None:
        """Return the answer that begins here, None while it is not whole.

        :raises RtspError: when it is none.
        """
        reader = ResponseReader()
        reader.receive_data(bytes(self._view[self._start : self._end]))
        response = reader.next_response()
        if response is not None:
            self._start = self._end - len(reader.rest())
        return response

    def _pass_over(self, count: int) -> None:
        """Leave bytes out up to the next that may begin something."""
        following = [
            found for mark in (b"$", b"RTSP") if (found := self._buffer.find(mark, self._start + count, self._end)) >= 0
        ]
        to = min(following, default=max(self._start + count, self._end - 3))
        self._nonsense += to - self._start
        self._start = to
        if self._nonsense > _MOST_NONSENSE:
            raise RtspError("what comes is no stream any more")
