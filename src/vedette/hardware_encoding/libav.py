"""One of libav's encoders in a process of its own, as its parent sees it; the process is ``libav_worker``.

Standard input: for each picture one byte, 1 where a key frame is wanted, and its I420 planes. Standard output: see
:class:`Messages`; an empty message says that the encoder is open.
"""

import struct
import sys
from typing import Final

from vedette.hardware_encoding.coded import Coded

_HEAD: Final = struct.Struct(">IB")


class Messages:
    """What the process writes: length and key flag, then a coded picture with start codes. A codec: no I/O."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.ready = False
        """Whether the encoder has said that it is open."""

    @staticmethod
    def frame(planes: memoryview, *, key: bool) -> tuple[bytes | memoryview, ...]:
        """Return what is written to the process for one picture."""
        return bytes([key]), planes

    @staticmethod
    def encode(coded: Coded | None) -> bytes:
        """Return the message of a coded picture, or of readiness."""
        return _HEAD.pack(0, 0) if coded is None else _HEAD.pack(len(coded.data), coded.key) + coded.data

    def receive_data(self, data: bytes) -> list[Coded]:
        """Add received bytes; return the pictures that are whole."""
        self._buffer += data
        found = []
        while len(self._buffer) >= _HEAD.size:
            length, key = _HEAD.unpack_from(self._buffer)
            if len(self._buffer) < _HEAD.size + length:
                break
            if length:
                found.append(Coded(bytes(self._buffer[_HEAD.size : _HEAD.size + length]), bool(key)))
            else:
                self.ready = True
            del self._buffer[: _HEAD.size + length]
        return found


def command(element: str, width: int, height: int, fps: int, gop: int, bits: int) -> list[str]:
    """Return what starts the process."""
    numbers = [str(number) for number in (width, height, fps, gop, bits)]
    return [sys.executable, "-m", "vedette.hardware_encoding.libav_worker", element, *numbers]
