"""Bytes of a log file -> lines. No I/O."""

import re
from typing import Final, NamedTuple

from vedette.redaction import redact
from vedette_device_monitor.logs.packing import MAX_TEXT_BYTES

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters but tab, carriage return and escape (colours)."""


class Line(NamedTuple):
    """One line: where it ends in the file, and its text, which may be empty."""

    end: int
    text: str


def split(data: bytes, start: int, *, at_rest: bool) -> list[Line]:
    """Return the lines that ``data``, read at ``start``, holds.

    A line whose end is not there yet is left for next time, unless the file is ``at_rest`` or the line is longer than
    an event may be: then it comes in pieces.
    """
    lines: list[Line] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            if not at_rest and len(data) - at < MAX_TEXT_BYTES:
                break
            end = len(data)
        # A piece may tear a letter in two; nothing else is lost.
        for piece in range(at, max(end, at + 1), MAX_TEXT_BYTES):
            stop = min(piece + MAX_TEXT_BYTES, end)
            lines.append(Line(start + (stop + 1 if stop == end < len(data) else stop), _text(data[piece:stop])))
        at = end + 1
    return lines


def is_text(head: bytes) -> bool:
    """Tell whether the beginning of a file is that of a text: no archive, picture or core file."""
    return b"\0" not in head


def _text(data: bytes) -> str:
    text = _NOT_TEXT.sub("", data.decode(errors="replace")).rstrip("\r\n")
    # What cannot be read takes three bytes for one.
    while len(text.encode()) > MAX_TEXT_BYTES:
        text = text[: len(text) * 3 // 4]
    return redact(text) if "://" in text else text
