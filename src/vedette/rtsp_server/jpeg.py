"""JPEG images as RTP payloads (RFC 2435): baseline, 4:2:0 or 4:2:2, the standard Huffman tables. No I/O."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_SOF0, _DQT, _SOS, _DRI = 0xC0, 0xDB, 0xDA, 0xDD
_LONGEST_SIDE: Final = 2040
# Factors of sampling of the first component, and RFC 2435's type for them.
_TYPES: Final = {0x21: 0, 0x22: 1}


class JpegError(ValueError):
    """The image is none that RFC 2435 can carry; the text says why."""


class _Scan(NamedTuple):
    kind: int
    width: int
    height: int
    tables: bytes
    restart: int
    data: memoryview


def payloads(image: bytes, most: int) -> Iterator[bytes]:
    """Yield the payloads of one image.

    :raises JpegError: when it cannot be sent.
    """
    scan = _read(image)
    kind = scan.kind | (64 if scan.restart else 0)
    offset = 0
    while offset < len(scan.data):
        header = struct.pack(">IBBBB", offset, kind, 255, scan.width // 8, scan.height // 8)
        if scan.restart:
            header += struct.pack(">HH", scan.restart, 0xFFFF)
        if offset == 0:
            header += struct.pack(">BBH", 0, 0, len(scan.tables)) + scan.tables
        part = scan.data[offset : offset + most - len(header)]
        yield header + part
        offset += len(part)


def _read(image: bytes) -> _Scan:
    kind, width, height, restart = -1, 0, 0, 0
    tables: dict[int, bytes] = {}
    for marker, body in _segments(image):
        if marker == _DQT:
            for start in range(0, len(body) - 64, 65):
                if body[start] >> 4:
                    raise JpegError("quantisation tables of 16 bits")
                tables[body[start] & 15] = bytes(body[start + 1 : start + 65])
        elif marker == _SOF0 and len(body) >= 15:
            height, width = struct.unpack_from(">HH", body, 1)
            kind = _TYPES.get(body[7], -1)
        elif marker == _DRI:
            (restart,) = struct.unpack_from(">H", body)
        elif 0xC1 <= marker <= 0xC3:
            raise JpegError("not a baseline image")
        elif marker == _SOS:
            if kind < 0 or len(tables) not in (1, 2):
                raise JpegError("a sampling other than 4:2:0 and 4:2:2")
            if max(width, height) > _LONGEST_SIDE or width % 8 or height % 8:
                raise JpegError(f"{width}x{height} pixels, expected multiples of 8 up to {_LONGEST_SIDE}")
            wanted = tables.get(0, b"") + tables.get(1, tables.get(0, b""))
            data = memoryview(image)[-len(body) :] if body else memoryview(b"")
            end = len(data) - 2 if bytes(data[-2:]) == b"\xff\xd9" else len(data)
            return _Scan(kind, width, height, wanted, restart, data[:end])
    raise JpegError("no image in it")


def _segments(image: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield marker and body of each segment; the body of the last one, SOS, is the entropy-coded data."""
    view, position = memoryview(image), 2
    if image[:2] != b"\xff\xd8":
        raise JpegError("not a JPEG image")
    while position + 4 <= len(view):
        if view[position] != 0xFF:
            raise JpegError("damaged between its segments")
        marker = view[position + 1]
        length = int.from_bytes(view[position + 2 : position + 4], "big")
        body = view[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == _SOS:
            yield marker, view[position:]
            return
        yield marker, body
