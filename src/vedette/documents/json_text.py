"""A JSON reader that keeps where everything stands (RFC 8259, bounded).

The standard library's reader says neither where a value stood nor that a key was given twice, and takes NaN.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

Pointer = tuple[str | int, ...]
"""Way from the document's root to a value: ``("nodeGraph", "edges", 2, "consumer")``."""

MAX_DEPTH: Final = 64
_MAX_NUMBER_LENGTH: Final = 64
_TOKEN: Final = re.compile(
    r"""[ \t\n\r]*(?:
      (?P<string>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")
    | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<word>true|false|null)
    | (?P<punctuation>[{}\[\],:])
    )""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_WORDS: Final = {"true": True, "false": False, "null": None}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Span:
    """Offsets of a token in the text: [start, end)."""

    start: int
    end: int


class JsonTextError(ValueError):
    """The text is not JSON, or nested too deep."""

    def __init__(self, message: str, span: Span, *, too_deep: bool = False) -> None:
        super().__init__(message)
        self.span = span
        self.too_deep = too_deep


@dataclass(frozen=True)
class JsonText:
    """A parsed text: plain Python values, and where each value and key stands."""

    text: str
    value: Any
    values: dict[Pointer, Span]
    keys: dict[Pointer, Span]
    duplicates: list[tuple[Pointer, Span]] = field(default_factory=list)
    """Keys given again in the same object; the last one counts."""

    def span(self, pointer: Pointer, *, key: bool = False) -> Span:
        """Return where the value (or its key) stands; of the nearest parent where ``pointer`` leads nowhere."""
        while pointer not in self.values:
            pointer, key = pointer[:-1], False
        return self.keys.get(pointer, self.values[pointer]) if key else self.values[pointer]


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of an offset, from 1, columns in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def read_json(text: str) -> JsonText:
    """Parse ``text``.

    :raises JsonTextError: if it is not JSON, or nested deeper than MAX_DEPTH
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._result = JsonText(text, None, {}, {})

    def read(self) -> JsonText:
        kind, token, span = self._next("a value")
        value = self._value(kind, token, span, ())
        rest = _SPACE.match(self._text, self._at)
        if rest is not None and rest.end() != len(self._text):
            self._fail("expected the end of the file after the document", rest.end())
        return JsonText(self._text, value, self._result.values, self._result.keys, self._result.duplicates)

    def _value(self, kind: str, token: str, span: Span, pointer: Pointer) -> Any:
        self._result.values[pointer] = span
        if kind == "string":
            return self._string(token, span)
        if kind == "number":
            return self._number(token, span)
        if kind == "word":
            return _WORDS[token]
        if token not in "{[":
            self._fail(f"expected a value, found {token!r}", span.start)
        if len(pointer) >= MAX_DEPTH:
            raise JsonTextError(f"nested deeper than {MAX_DEPTH} levels", span, too_deep=True)
        return self._object(pointer) if token == "{" else self._array(pointer)

    def _object(self, pointer: Pointer) -> dict[str, Any]:
        members: dict[str, Any] = {}
        kind, token, span = self._next('a key or "}"')
        if token == "}":
            return members
        while True:
            if kind != "string":
                after_comma = " (a comma before it is one too many)" if members and token == "}" else ""
                self._fail(f"expected a key in quotes, found {token!r}{after_comma}", span.start)
            key = self._string(token, span)
            below = (*pointer, key)
            if key in members:
                self._result.duplicates.append((below, span))
                self._forget(below, members[key])
            self._result.keys[below] = span
            colon, at = self._next('":"')[1:]
            if colon != ":":
                self._fail(f'expected ":" after the key "{key[:60]}", found {colon!r}', at.start)
            members[key] = self._value(*self._next("a value"), below)
            if self._closes("}", f'the value of "{key[:60]}"'):
                return members
            kind, token, span = self._next("a key")

    def _array(self, pointer: Pointer) -> list[Any]:
        items: list[Any] = []
        kind, token, span = self._next('a value or "]"')
        if token == "]":
            return items
        while True:
            if token == "]":
                self._fail("expected a value, found ']' (a comma before it is one too many)", span.start)
            items.append(self._value(kind, token, span, (*pointer, len(items))))
            if self._closes("]", f"value {len(items)} of the list"):
                return items
            kind, token, span = self._next("a value")

    def _closes(self, bracket: str, after: str) -> bool:
        end = self._at
        token, span = self._next(f'"," or "{bracket}"')[1:]
        if token == bracket:
            return True
        if token != ",":
            shown = token if len(token) <= 40 else token[:40] + "..."
            # The place to mend is where the comma is missing, not where the next token stands.
            self._fail(
                f'expected "," or "{bracket}" after {after}, found {shown}', end if token not in "}]" else span.start
            )
        return False

    def _forget(self, pointer: Pointer, value: Any) -> None:
        """Take out the places below a ``value`` that a later key of the same name replaces."""
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for step, below in steps:
            place = (*pointer, step)
            self._result.values.pop(place, None)
            self._result.keys.pop(place, None)
            self._forget(place, below)

    def _string(self, token: str, span: Span) -> str:
        if "\\" not in token:
            return token[1:-1]
        try:
            result = json.loads(token)
        except ValueError:
            self._fail("the text has an escape that JSON does not know", span.start)
        if _SURROGATE.search(result):
            self._fail("the text has half of a surrogate pair, which is no character", span.start)
        return str(result)

    def _number(self, token: str, span: Span) -> int | float:
        if len(token) > _MAX_NUMBER_LENGTH:
            self._fail(f"number of {len(token)} characters: at most {_MAX_NUMBER_LENGTH} are read", span.start)
        return float(token) if any(mark in token for mark in ".eE") else int(token)

    def _next(self, expected: str) -> tuple[str, str, Span]:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            space = _SPACE.match(self._text, self._at)
            start = space.end() if space is not None else self._at
            if start >= len(self._text):
                self._fail(f"expected {expected}, found the end of the file", max(len(self._text) - 1, 0))
            self._fail(f"expected {expected}, found {self._describe(start)}", start)
        self._at = match.end()
        start = match.start(match.lastgroup)
        return match.lastgroup, match[match.lastgroup], Span(start, match.end())

    def _describe(self, start: int) -> str:
        character = self._text[start]
        if character == '"':
            return "text without a closing quote (a line break within a text is written \\n)"
        if character == "'":
            return "a single quote: JSON has double quotes"
        if self._text.startswith(("//", "/*", "#"), start):
            return "a comment: JSON has none"
        return repr(character)

    def _fail(self, message: str, offset: int) -> NoReturn:
        raise JsonTextError(message, Span(offset, min(offset + 1, len(self._text))))
