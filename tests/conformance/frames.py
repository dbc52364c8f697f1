"""Event stream frames, written anew and without the nucleus's own codec, so that neither can hide the other's fault.

::

    total_len u32 | headers_len u32 | crc32 of these | headers | payload | crc32 of all before
    a header: len u8 | name | type u8 | value
"""

from __future__ import annotations

import struct
import zlib
from typing import Dict, List, Tuple, Union

Value = Union[int, str]
Headers = Dict[str, Value]

INT32, STRING = 4, 7
OVERHEAD = 16


class FrameError(Exception):
    """Bytes that are no frame."""


def encode(headers: Headers, payload: bytes = b"") -> bytes:
    """Return a frame."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack(">II", OVERHEAD + len(block) + len(payload), len(block))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + block + payload
    return body + struct.pack(">I", zlib.crc32(body))


def _header(name: str, value: Value) -> bytes:
    head = bytes([len(name)]) + name.encode()
    if isinstance(value, int):
        return head + struct.pack(">Bi", INT32, value)
    data = value.encode()
    return head + struct.pack(">BH", STRING, len(data)) + data


def length(start: bytes) -> int:
    """Return how long the frame is that begins with these (at least 12) bytes.

    :raises FrameError: if its lengths do not match their checksum
    """
    total, _, check = struct.unpack(">III", start[:12])
    if zlib.crc32(start[:8]) != check or total < OVERHEAD:
        raise FrameError(f"the first 12 bytes are no prelude: {start[:12].hex()}")
    return int(total)


def decode(frame: bytes) -> Tuple[Headers, bytes]:
    """Return headers and payload of one whole frame.

    :raises FrameError: if a checksum or a header is wrong
    """
    total, headers_len = struct.unpack(">II", frame[:8])
    if total != len(frame) or zlib.crc32(frame[:-4]) != struct.unpack(">I", frame[-4:])[0]:
        raise FrameError("the frame does not match its checksum")
    headers: Headers = {}
    at, end = 12, 12 + headers_len
    while at < end:
        size = frame[at]
        name = frame[at + 1 : at + 1 + size].decode()
        kind = frame[at + 1 + size]
        at += 2 + size
        if kind == INT32:
            headers[name] = int(struct.unpack(">i", frame[at : at + 4])[0])
            at += 4
        elif kind == STRING:
            (count,) = struct.unpack(">H", frame[at : at + 2])
            headers[name] = frame[at + 2 : at + 2 + count].decode()
            at += 2 + count
        else:
            raise FrameError(f"header {name} is of type {kind}; IPC uses 4 and 7 alone")
    return headers, frame[end:-4]


def split(data: bytes) -> Tuple[List[bytes], bytes]:
    """Return the whole frames at the beginning of ``data``, and what is left."""
    found = []
    while len(data) >= 12 and len(data) >= length(data):
        size = length(data)
        found.append(data[:size])
        data = data[size:]
    return found, data
