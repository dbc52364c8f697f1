"""JPEG images out of RTP payloads (RFC 2435). No I/O."""

import struct
from typing import Final

from vedette.rtsp.coded_picture import MOST_PICTURE_BYTES, Whole
from vedette.rtsp.rtp import RtpPacket

# Tables K.1 and K.2 of the JPEG standard (ITU-T T.81), in zigzag order.
_LUMINANCE: Final = bytes.fromhex(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763"
)
_CHROMINANCE: Final = bytes.fromhex(
    "1112121815182f1a1a2f634238426363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363"
)
# RFC 2435's types and the factors of sampling of the first component.
_SAMPLING: Final = {0: 0x21, 1: 0x22}


class JpegAssembly:
    """Collects the parts of one image after the other; an image of which a part is missing is left out.

    ``size`` is what the description says of the images' width and height, if anything. RFC 2435's header has them as
    multiples of 8 up to 2040: it rounds up others, and says nothing of larger ones.
    """

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self._told = size
        self.unsized = 0
        """Images larger than 2040 pixels of which nobody says how large."""
        self._data = bytearray()
        self._head = b""
        self._stamp = 0
        self._tables: dict[int, bytes] = {}
        self.endless = 0
        """Images that had no end."""

    def add(self, packet: RtpPacket, *, lost: bool) -> list[Whole]:
        """Take a packet; ``lost`` tells that others are missing before it. Return the image that is whole."""
        payload = packet.payload
        if len(payload) < 9:
            return []
        offset = int.from_bytes(payload[1:4], "big")
        if offset == 0:
            self._begin(payload, packet.stamp, bytes(packet.jpeg_head))
            start = self._start
        else:
            start = 12 if payload[4] & 0x40 else 8
        if (lost and offset) or packet.stamp != self._stamp or offset != len(self._data):
            self._head = b""
        if not self._head:
            return []
        self._data += payload[start:]
        if len(self._data) > MOST_PICTURE_BYTES:
            self.endless += 1
            self._head = b""
        elif packet.last:
            image, self._head = self._head + bytes(self._data) + b"\xff\xd9", b""
            return [Whole(image, packet.stamp, key=True)]
        return []

    def _begin(self, payload: memoryview, stamp: int, told: bytes) -> None:
        """Read the head of an image's first packet; ``told`` is what a header extension says of it."""
        self._data, self._stamp, self._head, self._start = bytearray(), stamp, b"", len(payload)
        kind, quality = payload[4], payload[5]
        extra = _Extra(told)
        width, height = self._size(payload[6] * 8, payload[7] * 8)
        position, restart = 8, 0
        if kind & 0x40 and len(payload) >= 12:
            restart, position = int.from_bytes(payload[8:10], "big"), 12
        if quality < 128:
            tables = _tables_of(quality)
        elif position + 4 <= len(payload):
            length = int.from_bytes(payload[position + 2 : position + 4], "big")
            position += 4
            # One that is sent once and for all is not repeated.
            tables = bytes(payload[position : position + length]) or self._tables.get(quality, b"")
            position += length
            if quality < 255:
                self._tables[quality] = tables
        else:
            return
        sampling = _SAMPLING.get(kind & 0x3F)
        sized = extra.frame or (width and height)
        self.unsized += not sized
        if (sampling or extra.frame) and sized and (extra.quantised or len(tables) in (64, 128)):
            self._start, self._head = position, _head(width, height, sampling or 0, tables, restart, extra)

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of an image whose header says these, in pixels."""
        if self._told is None:
            return width, height
        # What is told of another size than it is now is of no use.
        same = all(-(-told // 8) * 8 == side for told, side in zip(self._told, (width, height), strict=True))
        return self._told if same or not width or not height else (width, height)


class _Extra:
    """The segments of a JPEG head that came in a header extension, those that are of use."""

    def __init__(self, told: bytes) -> None:
        self.segments = b""
        self.frame = b""
        """The frame header (SOF0 or SOF1) without its marker; empty: there is none."""
        self.quantised = False
        """Whether quantisation tables are among them."""
        position = 0
        while position + 4 <= len(told) and told[position] == 0xFF and told[position + 1] != 0xFF:
            marker = told[position + 1]
            end = position + 2 + int.from_bytes(told[position + 2 : position + 4], "big")
            if end > len(told) or end <= position + 4:
                return
            if marker in (0xC0, 0xC1) and end - position == 19:
                self.frame = told[position + 4 : end]
            if marker in (0xC0, 0xC1, 0xC4, 0xDB):
                self.segments += told[position:end]
                self.quantised |= marker == 0xDB
            position = end

    @property
    def components(self) -> bytes:
        """Return the components' numbers, in their order."""
        return self.frame[6::3][:3] if self.frame else b"\x01\x02\x03"


def _tables_of(quality: int) -> bytes:
    """Return the tables of a quality from 1 to 99 (section 4.2)."""
    quality = min(99, max(1, quality))
    scale = 5000 // quality if quality < 50 else 200 - quality * 2
    return bytes(min(255, max(1, (value * scale + 50) // 100)) for value in _LUMINANCE + _CHROMINANCE)


def _head(width: int, height: int, sampling: int, tables: bytes, restart: int, extra: _Extra) -> bytes:
    """Return what stands before the entropy-coded data.

    The Huffman tables are the standard's, which every decoder of motion JPEG knows: they are left out.
    """
    parts = [b"\xff\xd8"]
    for number in (0, 1) if not extra.quantised else ():
        table = tables[64 * number :][:64] or tables[:64]
        parts.append(struct.pack(">HHB", 0xFFDB, 67, number) + table)
    parts.append(extra.segments)
    if restart:
        parts.append(struct.pack(">HHH", 0xFFDD, 4, restart))
    if not extra.frame:
        frame = struct.pack(">HHBHHB", 0xFFC0, 17, 8, height, width, 3)
        parts.append(frame + bytes([1, sampling, 0, 2, 17, 1, 3, 17, 1]))
    first, second, third = extra.components
    parts.append(struct.pack(">HHB", 0xFFDA, 12, 3) + bytes([first, 0, second, 17, third, 17, 0, 63, 0]))
    return b"".join(parts)
