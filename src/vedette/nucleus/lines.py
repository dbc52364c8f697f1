"""Splits a component's output into lines and keeps them in its log file."""

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from vedette.redaction import redact

logger = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 16_384
"""A longer line is cut into pieces: a component that prints a picture must not fill the nucleus's memory."""
MAX_LOG_BYTES: Final = 10_000_000
LOG_FILES: Final = 3


class LineSplitter:
    """Bytes in, lines out; lines may end with ``\\n`` or ``\\r\\n``."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the lines that ``data`` completes, without their ends and without credentials in URLs."""
        *lines, rest = (self._rest + data).split(b"\n")
        while len(rest) > MAX_LINE_BYTES:
            lines.append(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest
        for line in lines:
            yield _text(line)

    def rest(self) -> Iterator[str]:
        """Yield what came after the last end of line."""
        line, self._rest = self._rest, b""
        if line:
            yield _text(line)


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r")
    # Most lines hold no URL, and the search for one takes a time that grows with the square of a word's length.
    return redact(text) if "://" in text else text


class ComponentLog:
    """A component's log file: each line with its time (UTC) and stream; rotated by size, ``LOG_FILES`` files in all."""

    def __init__(self, path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
        self.path = path
        self.lost = 0
        self._max_bytes = max_bytes
        self._size: int | None = None

    def write(self, stream: str, line: str, now: datetime | None = None) -> None:
        """Append a line; a full disk loses the line (counted), never the component."""
        moment = now or datetime.now(timezone.utc)
        data = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z [{stream}] {line}\n".encode()
        try:
            self._append(data)
        except OSError as error:
            if self.lost == 0:
                logger.warning("log %s cannot be written: %s", self.path, error.strerror)
            self.lost += 1

    def _append(self, data: bytes) -> None:
        if self._size is None:
            self._size = self.path.stat().st_size if self.path.exists() else 0
        if self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        with self.path.open("ab") as opened:
            opened.write(data)
        self._size += len(data)

    def _rotate(self) -> None:
        for number in range(LOG_FILES - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        self._size = 0
