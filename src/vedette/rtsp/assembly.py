"""Coded pictures out of RTP payloads: H.264 (RFC 6184) and H.265 (RFC 7798). No I/O.

A picture is handed on with the packet that ends it (the marker), not when the next one begins: that would cost every
picture one interval of delay. Cameras that set the marker wrongly are found out and then read by their time stamps.
"""

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from vedette.rtsp.coded_picture import MOST_PICTURE_BYTES, Whole
from vedette.rtsp.jpeg_images import JpegAssembly
from vedette.rtsp.rtp import RtpPacket

_START: Final = b"\x00\x00\x00\x01"
_RECOVERY_POINT: Final = 6


class OpenUnit(NamedTuple):
    """A fragmented unit of the picture with ``stamp``, of which more comes.

    The payloads that neither begin nor end it are ``lead`` and what is appended to ``data``.
    """

    stamp: int
    lead: bytes
    data: bytearray


class NalAssembly(ABC):
    """Collects the NAL units of one picture after the other."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._stamp = 0
        self._key = False
        # Whether there is a slice, without which it is no picture, and whether a fragmented unit goes on.
        self._sliced = self._open = False
        self._lead = b""
        self._marks_are_true = True
        self._marked: int | None = None
        self._done: list[Whole] = []
        self.endless = 0
        """Pictures that had no end."""

    def add(self, packet: RtpPacket, *, lost: bool) -> list[Whole]:
        """Take a packet; ``lost`` tells that others are missing before it. Return the pictures that are whole."""
        if packet.stamp != self._stamp:
            if self._sliced:
                self._finish()
            self._stamp = packet.stamp
        if lost:
            # The beginning of a slice is of use, its end without the middle is not.
            self._open = False
        self._take(packet.payload)
        if packet.last and self._sliced and self._marks_are_true:
            self._marked = packet.stamp
            self._finish()
        if len(self._data) > MOST_PICTURE_BYTES:
            self.endless += 1
            self._clear()
        if not self._done:
            return []
        done, self._done = self._done, []
        return done

    @property
    def open_unit(self) -> OpenUnit | None:
        """The fragmented unit that goes on, if any."""
        return OpenUnit(self._stamp, self._lead, self._data) if self._open else None

    @abstractmethod
    def _take(self, payload: memoryview) -> None:
        """Take one payload."""

    @abstractmethod
    def _judge(self, head: bytes | memoryview) -> tuple[bool, bool, bool]:
        """Return of a NAL unit, by its first bytes: is it a slice, is it a picture's first, can decoding begin here."""

    def _begin(self, head: bytes | memoryview) -> None:
        """A NAL unit begins; ``head`` is its first bytes."""
        is_slice, first, key = self._judge(head)
        if is_slice:
            if first and self._sliced:
                self._finish()
            elif not first and not self._sliced and self._marked == self._stamp:
                # The rest of a picture that was said to be over.
                self._marks_are_true = False
            self._sliced = True
        self._key |= key
        self._data += _START

    def _whole(self, nal: memoryview) -> None:
        if len(nal) > 1:
            self._begin(nal[:64])
            self._data += nal

    def _aggregated(self, units: memoryview) -> None:
        """Take several NAL units, the length of each in two bytes before it."""
        position = 0
        while position + 2 <= len(units):
            length = units[position] << 8 | units[position + 1]
            self._whole(units[position + 2 : position + 2 + length])
            position += 2 + length

    def _fragment(self, before: memoryview, mark: int, head: bytes, body: memoryview) -> None:
        """Take a part of a NAL unit whose header is ``head``; ``before`` and ``mark`` came before it."""
        if mark & 0x80:
            self._lead = bytes(before) + bytes([mark & 0x3F])
            self._begin(head + bytes(body[:62]))
            self._data += head
            self._open = True
        if self._open:
            self._data += body
        if mark & 0x40:
            self._open = False

    def _finish(self) -> None:
        self._done.append(Whole(bytes(self._data), self._stamp, self._key))
        self._clear()

    def _clear(self) -> None:
        self._data = bytearray()
        self._key = self._sliced = self._open = False


class H264Assembly(NalAssembly):
    """Single NAL units, STAP-A and FU-A; the interleaved mode is used by no camera."""

    def _take(self, payload: memoryview) -> None:
        kind = payload[0] & 0x1F
        if kind == 28 and len(payload) > 2:
            self._fragment(payload[:1], payload[1], bytes([payload[0] & 0xE0 | payload[1] & 0x1F]), payload[2:])
        elif 0 < kind < 24:
            self._whole(payload)
        elif kind == 24:
            self._aggregated(payload[1:])

    def _judge(self, head: bytes | memoryview) -> tuple[bool, bool, bool]:
        kind = head[0] & 0x1F
        if kind in (1, 2, 5):
            # first_mb_in_slice is 0 when its first bit is set.
            return True, head[1] > 0x7F, kind == 5
        return False, False, kind == 6 and _holds_recovery_point(head)


class H265Assembly(NalAssembly):
    """Single NAL units, aggregation packets and fragmentation units."""

    def _take(self, payload: memoryview) -> None:
        kind = payload[0] >> 1 & 0x3F
        if kind == 49 and len(payload) > 3:
            head = bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]])
            self._fragment(payload[:2], payload[2], head, payload[3:])
        elif kind < 48:
            self._whole(payload)
        elif kind == 48:
            self._aggregated(payload[2:])

    def _judge(self, head: bytes | memoryview) -> tuple[bool, bool, bool]:
        kind = head[0] >> 1 & 0x3F
        return kind < 32, len(head) > 2 and head[2] > 0x7F, 16 <= kind <= 23


Assembly = NalAssembly | JpegAssembly


def _holds_recovery_point(sei: bytes | memoryview) -> bool:
    """Tell whether supplemental information says that decoding may begin here: cameras without IDR pictures do."""
    position = 1
    while position + 2 <= len(sei):
        values = []
        for _ in range(2):
            value = 0
            while position < len(sei) and sei[position] == 0xFF:
                value, position = value + 255, position + 1
            if position >= len(sei):
                return False
            values.append(value + sei[position])
            position += 1
        if values[0] == _RECOVERY_POINT:
            return True
        position += values[1]
    return False


def assembly_of(codec: str, size: tuple[int, int] | None = None) -> Assembly | None:
    """Return what reads ``codec`` (RTP's name of it), None for what is not known here.

    :param size: width and height as the description tells them, which JPEG's payloads do not
    """
    if codec == "JPEG":
        return JpegAssembly(size)
    kinds: dict[str, type[H264Assembly | H265Assembly]] = {"H264": H264Assembly, "H265": H265Assembly}
    return kinds[codec]() if codec in kinds else None
