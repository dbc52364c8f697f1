"""The line a finding is about, as it may be shown: without passwords, without what a terminal would obey."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vedette.documents.checking import is_secret
from vedette.documents.findings import Finding
from vedette.documents.json_text import JsonText

_TAB: Final = "    "
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


def snippet_of(finding: Finding, text: str, tree: JsonText | None, *, room: int = 120) -> Snippet | None:
    """Return the line of ``finding`` in ``text``, cut to ``room`` columns around what is meant; None without a line.

    :param tree: the parsed document, which tells which values are credentials
    """
    lines = text.split("\n")
    if not 0 < finding.line <= len(lines):
        return None
    line = lines[finding.line - 1].rstrip("\r")
    at = min(max(finding.column - 1, 0), len(line))
    offset = sum(len(other) + 1 for other in lines[: finding.line - 1])
    cells = [_shown(character) for character in line]
    for start, end in _hidden(line, offset, tree):
        cells[start:end] = [("***", 3) if index == start else ("", 0) for index in range(start, end)]
    before = sum(width for _, width in cells[:at])
    width = max(sum(width for _, width in cells[at : at + max(finding.length, 1)]), 1)
    return _cut(finding.line, cells, before, width, max(room, 20))


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


def _hidden(line: str, offset: int, tree: JsonText | None) -> Iterator[tuple[int, int]]:
    """Yield the parts of ``line``, which begins at ``offset`` of its file, that may be credentials."""
    for match in _USERINFO.finditer(line):
        yield match.span()
    if tree is not None:
        for pointer, span in tree.values.items():
            on_line = offset <= span.start < offset + len(line) and tree.text[span.start] == '"'
            if on_line and pointer and pointer[-1] in _VALUES and is_secret(tree, pointer):
                yield span.start - offset + 1, min(span.end - offset, len(line)) - 1
        return
    for match in _JSON_VALUE.finditer(line):
        yield match.span(1) if match[1] is not None else match.span(2)
    for match in _ASSIGNED.finditer(line):
        yield match.span(1)


def _cut(number: int, cells: list[tuple[str, int]], before: int, width: int, room: int) -> Snippet:
    total = sum(cell for _, cell in cells)
    if total <= room:
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
    left = _ELLIPSIS if start else ""
    right = _ELLIPSIS if first + inner < total else ""
    place = len(left) + before - start
    return Snippet(number, f"{left}{shown}{right}", place, max(min(width, room - len(right) - place), 1))
