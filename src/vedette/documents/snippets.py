"""The line a finding is about, as it may be shown: without passwords, without what a terminal would obey."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from vedette.documents.checking import is_secret
from vedette.documents.findings import Finding
from vedette.documents.json_text import JsonText

_TAB: Final = "    "
_AROUND: Final = 1000
_LONG_LINE: Final = 2000
_ELLIPSIS: Final = "..."
_USERINFO: Final = re.compile(r"(?<=://)[^\s\"'<>]*(?=@)")
_JSON_VALUE: Final = re.compile(r'(?<="default")\s*:\s*("(?:[^"\\]|\\.)*"?)|(?<="value")\s*:\s*("(?:[^"\\]|\\.)*"?)')
_ASSIGNED: Final = re.compile(r"(?i)\w*(?:pass|secret|token|credential)\w*[\"']?\s*[=:]\s*(\S.*)")
_VALUES: Final = ("default", "value")


@dataclass(frozen=True)
class Snippet:
    """One line of a file and the part of it that is meant, in columns of a terminal."""

    number: int
    text: str
    start: int
    width: int


class SourceText:
    """A file that findings are about.

    :param tree: the parsed document, which tells which values are credentials; None for other files
    """

    def __init__(self, text: str, tree: JsonText | None = None) -> None:
        self._lines = text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]
        self._secrets = None if tree is None else _secrets(tree)

    def snippet(self, finding: Finding, *, room: int = 120) -> Snippet | None:
        """Return the line of ``finding``, cut to ``room`` columns around what is meant; None where there is no line."""
        if not 0 < finding.line <= len(self._lines):
            return None
        line = self._lines[finding.line - 1].rstrip("\r")
        if self._secrets is None and len(line) > _LONG_LINE:
            return None  # nothing tells where a password in it begins
        at = min(max(finding.column - 1, 0), len(line))
        first, last = max(0, at - _AROUND), min(len(line), at + _AROUND)
        part, at = line[first:last], at - first
        cells = [_shown(character) for character in part]
        for start, end in self._hidden(part, self._starts[finding.line - 1] + first):
            cells[start:end] = [("***", 3) if index == start else ("", 0) for index in range(start, end)]
        before = sum(width for _, width in cells[:at])
        width = max(sum(width for _, width in cells[at : at + max(finding.length, 1)]), 1)
        cut = (first > 0, last < len(line))
        return _cut(finding.line, cells, before, width, max(room, 20), cut)

    def _hidden(self, part: str, offset: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches of ``part``, which begins at ``offset`` of the file, that may be credentials."""
        for match in _USERINFO.finditer(part):
            yield match.span()
        if self._secrets is not None:
            for start, end in self._secrets:
                if start < offset + len(part) and end > offset:
                    yield max(start - offset, 0), min(end - offset, len(part))
            return
        for match in _JSON_VALUE.finditer(part):
            yield match.span(1) if match[1] is not None else match.span(2)
        for match in _ASSIGNED.finditer(part):
            yield match.span(1)


def printable(text: str) -> str:
    """Return ``text`` without what a terminal would obey or reorder: such characters are written as ``\\u001b``."""
    return "".join(_escaped(character) if _is_control(character) else character for character in text)


def _shown(character: str) -> tuple[str, int]:
    if character == "\t":
        return _TAB, len(_TAB)
    if _is_control(character):
        return "\N{REPLACEMENT CHARACTER}", 1
    if unicodedata.combining(character):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _secrets(tree: JsonText) -> list[tuple[int, int]]:
    """Return where values stand that may be credentials, without their quotes."""
    return [
        (span.start + 1, span.end - 1)
        for pointer, span in tree.values.items()
        if pointer and pointer[-1] in _VALUES and tree.text[span.start] == '"' and is_secret(tree, pointer)
    ]


def _cut(
    number: int, cells: list[tuple[str, int]], before: int, width: int, room: int, beyond: tuple[bool, bool]
) -> Snippet:
    """Return what fits into ``room``; ``beyond`` tells whether the line goes on left and right of ``cells``."""
    total = sum(cell for _, cell in cells)
    if total <= room and not any(beyond):
        return Snippet(number, "".join(text for text, _ in cells), before, min(width, max(total - before, 1)))
    inner = room - 2 * len(_ELLIPSIS)
    first = min(max(before - inner // 3, 0), max(total - inner, 0))
    shown, column, start = "", 0, 0
    for text, cell in cells:
        if first <= column and column + cell <= first + inner:
            if not shown:
                start = column
            shown += text
        column += cell
    left = _ELLIPSIS if start or beyond[0] else ""
    right = _ELLIPSIS if first + inner < total or beyond[1] else ""
    place = len(left) + before - start
    return Snippet(number, f"{left}{shown}{right}", place, max(min(width, room - len(right) - place), 1))
