"""Codec of the event stream framing: bytes in, messages out, no I/O.

A message on the wire, all integers big-endian::

    total_len u32 | headers_len u32 | crc32 of these 8 bytes | headers | payload | crc32 of everything before

A header is ``name_len u8 | name | type u8 | value``. Source: aws-c-event-stream ``source/event_stream.c``.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vedette.nucleus.ipc.errors import ProtocolError

__all__ = ["MAX_MESSAGE_BYTES", "Decoder", "HeaderValue", "Message", "encode"]

HeaderValue = bool | int | bytes | str
"""bool, int (decoded from any width, encoded in 32 bits), bytes (also the 16 bytes of a UUID) or str."""

MAX_MESSAGE_BYTES: Final = 24 * 1024 * 1024
"""awscrt refuses to send or receive more (``AWS_EVENT_STREAM_MAX_MESSAGE_SIZE``)."""
MAX_HEADERS_BYTES: Final = 128 * 1024
_PRELUDE: Final = struct.Struct(">III")
_LENGTHS: Final = struct.Struct(">II")
_U32: Final = struct.Struct(">I")
_OVERHEAD: Final = _PRELUDE.size + _U32.size
_INTEGERS: Final = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_INTEGERS[8] = _INTEGERS[5]
_TRUE, _FALSE, _INT32, _BYTES, _STRING, _UUID = 0, 1, 4, 6, 7, 9


@dataclass(frozen=True, slots=True)
class Message:
    """One message: headers by name (the last wins) and payload."""

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""

    def integer(self, name: str, default: int = 0) -> int:
        """Return an integer header, ``default`` when absent; ProtocolError when it is of another type."""
        value = self.headers.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ProtocolError(f"header {name} is {type(value).__name__}, expected a 32-bit integer")
        return value

    def text(self, name: str) -> str | None:
        """Return a string header, None when absent; ProtocolError when it is of another type."""
        value = self.headers.get(name)
        if value is not None and not isinstance(value, str):
            raise ProtocolError(f"header {name} is {type(value).__name__}, expected a string")
        return value


def encode(message: Message) -> bytes:
    """Return the message's bytes; ProtocolError when it is longer than ``MAX_MESSAGE_BYTES``."""
    headers = b"".join(_encode_header(name, value) for name, value in message.headers.items())
    total = _OVERHEAD + len(headers) + len(message.payload)
    if total > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"message of {total} bytes, the limit is {MAX_MESSAGE_BYTES}")
    lengths = _LENGTHS.pack(total, len(headers))
    head = lengths + _U32.pack(zlib.crc32(lengths)) + headers
    return b"".join((head, message.payload, _U32.pack(zlib.crc32(message.payload, zlib.crc32(head)))))


def _encode_header(name: str, value: HeaderValue) -> bytes:
    key = name.encode()
    if not 0 < len(key) < 256:
        raise ProtocolError(f"header name of {len(key)} bytes, expected 1 to 255")
    head = bytes((len(key),)) + key
    if isinstance(value, bool):
        return head + bytes((_TRUE if value else _FALSE,))
    if isinstance(value, int):
        return head + struct.pack(">Bi", _INT32, value)
    data = value.encode() if isinstance(value, str) else value
    if len(data) > 0xFFFF:
        raise ProtocolError(f"header {name} of {len(data)} bytes, the limit is 65535")
    return head + struct.pack(">BH", _STRING if isinstance(value, str) else _BYTES, len(data)) + data


class Decoder:
    """Collects bytes and gives out whole messages.

    ``receive_data`` takes whatever arrived; ``next_event`` returns a message, or None for "I need more data", or raises
    ProtocolError for bytes that cannot be a message. After an error the stream cannot be trusted: every further
    ``next_event`` raises it again.
    """

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self.limit = limit
        """Longest message accepted, in bytes; may be changed between messages."""
        self._buffer = bytearray()
        self._expected: tuple[int, int] | None = None
        self._failure: ProtocolError | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes off the wire."""
        self._buffer += data

    @property
    def buffered(self) -> int:
        """Bytes taken and not yet given out."""
        return len(self._buffer)

    def next_event(self) -> Message | None:
        """Return the next whole message, None when more data is needed; ProtocolError when the bytes are malformed."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._next()
        except ProtocolError as error:
            self._failure = error
            self._buffer.clear()
            raise

    def _next(self) -> Message | None:
        if self._expected is None:
            if len(self._buffer) < _PRELUDE.size:
                return None
            self._expected = self._read_prelude()
        total, headers_len = self._expected
        if len(self._buffer) < total:
            return None
        frame = bytes(memoryview(self._buffer)[:total])
        del self._buffer[:total]
        self._expected = None
        (crc,) = _U32.unpack_from(frame, total - _U32.size)
        if zlib.crc32(memoryview(frame)[: -_U32.size]) != crc:
            raise ProtocolError("message checksum does not match its bytes")
        start = _PRELUDE.size + headers_len
        return Message(_decode_headers(frame[_PRELUDE.size : start]), frame[start : -_U32.size])

    def _read_prelude(self) -> tuple[int, int]:
        total, headers_len, crc = _PRELUDE.unpack_from(self._buffer)
        if zlib.crc32(memoryview(self._buffer)[: _LENGTHS.size]) != crc:
            raise ProtocolError("prelude checksum does not match its bytes")
        if headers_len > MAX_HEADERS_BYTES or total < _OVERHEAD + headers_len:
            raise ProtocolError(f"headers of {headers_len} bytes in a message of {total} bytes")
        if total > self.limit:
            raise ProtocolError(f"message of {total} bytes, the limit is {self.limit}")
        return total, headers_len


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name = data[at + 1 : end].decode()
            kind = data[end]
            headers[name], at = _decode_value(kind, data, end + 1)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"headers cannot be read: {type(error).__name__}") from error
    if at > len(data):
        raise ProtocolError("headers cannot be read: the last one is cut off")
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    if kind in {_TRUE, _FALSE}:
        return kind == _TRUE, at
    if kind in _INTEGERS:
        shape = _INTEGERS[kind]
        return int(shape.unpack_from(data, at)[0]), at + shape.size
    if kind == _UUID:
        return data[at : at + 16], at + 16
    if kind in {_BYTES, _STRING}:
        (size,) = struct.unpack_from(">H", data, at)
        value = data[at + 2 : at + 2 + size]
        if len(value) < size:
            raise ProtocolError("headers cannot be read: the last one is cut off")
        return (value.decode() if kind == _STRING else value), at + 2 + size
    raise ProtocolError(f"header of unknown type {kind}, expected 0 to 9")
