"""Images out of an HTTP answer of type multipart/x-mixed-replace, as cameras send motion JPEG. A codec: no I/O.

Tolerates what cameras do: boundaries with and without their two dashes, quoted or wrong ones, parts with and without a
length, bare line feeds, lines between parts.
"""

import re
from typing import Final

MAX_IMAGE_BYTES: Final = 16 * 1024 * 1024
_MAX_HEAD_BYTES: Final = 8 * 1024
_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
_LENGTH: Final = re.compile(rb"(?i)content-length:[ \t]*(\d{1,9})[ \t]*\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


class MultipartError(ValueError):
    """The answer is none of images; the text says why."""


class MultipartReader:
    """Takes bytes as they come and hands out images."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0

    @property
    def partial(self) -> bool:
        """Whether an image has begun and not ended."""
        return self._buffer.find(_BEGIN) >= 0

    def receive_data(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_image(self) -> bytes | None:
        """Return the next whole image, or None when more bytes are needed.

        :raises MultipartError: when an image or a part's head is too long.
        """
        begin = self._buffer.find(_BEGIN)
        if begin < 0:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise MultipartError("no JPEG image in what is sent")
            return None
        end = self._end(begin)
        if end is None:
            if len(self._buffer) - begin > MAX_IMAGE_BYTES:
                raise MultipartError(f"an image of over {MAX_IMAGE_BYTES >> 20} MiB")
            return None
        image = bytes(self._buffer[begin:end])
        del self._buffer[:end]
        self._scanned = 0
        return image

    def _end(self, begin: int) -> int | None:
        """Return where the image that begins at ``begin`` ends, None when that has not come yet."""
        head = bytes(self._buffer[max(0, begin - _MAX_HEAD_BYTES) : begin])
        lengths = _LENGTH.findall(head)
        if lengths and _HEAD_END.search(head[-4:]):
            end = begin + int(lengths[-1])
            if int(lengths[-1]) > MAX_IMAGE_BYTES:
                raise MultipartError(f"an image of over {MAX_IMAGE_BYTES >> 20} MiB")
            return end if end <= len(self._buffer) else None
        # Without a length: an end of image, and something that is no image behind it (thumbnails end inside, too).
        start = max(begin + 2, self._scanned)
        while (found := self._buffer.find(_END, start)) >= 0:
            behind = self._buffer[found + 2 : found + 6]
            if len(behind) < 4:
                break
            if behind.lstrip(b"\r\n").startswith(b"--"):
                return found + 2
            start = found + 2
        self._scanned = max(begin + 2, len(self._buffer) - 8)
        return None
