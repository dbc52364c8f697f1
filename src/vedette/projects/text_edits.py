"""Changes values in a JSON text and leaves every other character as it is."""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from vedette.documents.json_text import JsonText, Pointer, read_json
from vedette.projects.layout import laid_out

_INDENT: Final = re.compile(r"\n([ \t]+)\S")
_BEGINNING: Final = re.compile(r"[ \t]*")


def replace_strings(document: JsonText, values: Mapping[Pointer, str]) -> str:
    """Return the document's text with the strings at ``values``' pointers replaced.

    :raises ValueError: if a pointer leads to no string, or the result would not read back as meant
    """
    text = document.text
    expected = copy.deepcopy(document.value)
    for pointer in sorted(values, key=lambda place: document.values[place].start, reverse=True):
        span = document.values[pointer]
        if text[span.start] != '"':
            raise ValueError(f"there is no text at {pointer}")
        text = text[: span.start] + json.dumps(values[pointer], ensure_ascii=False) + text[span.end :]
        _put(expected, pointer, values[pointer])
    return _as_meant(text, expected)


def set_value(text: str, pointer: Pointer, value: Any) -> str:
    """Return ``text`` with ``value`` at ``pointer``: in place of what is there, or as a new last key of its object.

    :raises ValueError: if there is no object to put it into, or the result would not read back as meant
    """
    document = read_json(text)
    expected = copy.deepcopy(document.value)
    _put(expected, pointer, value)
    if pointer in document.values:
        start = document.values[pointer].start
        new = _laid_out(text, value, _indent_at(text, start))
        return _as_meant(text[:start] + new + text[_end(text, start) :], expected)
    keys = [(*pointer[:-1], key) for key in _at(document.value, pointer[:-1])]
    spot = document.values[pointer[:-1]].start
    first = document.keys[keys[0]].start if keys else None
    last = document.values[keys[-1]].start if keys else None
    return _as_meant(_with_member(text, spot, first, last, value, f"{json.dumps(pointer[-1])}: "), expected)


def append_item(text: str, pointer: Pointer, item: Any) -> str:
    """Return ``text`` with ``item`` at the end of the list at ``pointer``; a list that is missing is made.

    :raises ValueError: if something else than a list is there, or the result would not read back as meant
    """
    document = read_json(text)
    if pointer not in document.values:
        return set_value(text, pointer, [item])
    items = _at(document.value, pointer)
    if not isinstance(items, list):
        raise ValueError(f"there is no list at {pointer}")  # noqa: TRY004 - wrong is the document
    expected = copy.deepcopy(document.value)
    _at(expected, pointer).append(item)
    spot = document.values[pointer].start
    first = document.values[(*pointer, 0)].start if items else None
    last = document.values[(*pointer, len(items) - 1)].start if items else None
    return _as_meant(_with_member(text, spot, first, last, item, ""), expected)


def _with_member(text: str, spot: int, first: int | None, last: int | None, value: Any, key: str) -> str:
    """Return ``text`` with one member more in the object or list that begins at ``spot``."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if first is None or last is None:
        outer = _indent_at(text, spot)
        inner = outer + _unit(text)
        body = f"{newline}{inner}{key}{_laid_out(text, value, inner)}{newline}{outer}"
        return text[: spot + 1] + body + text[_end(text, spot) - 1 :]
    before = text[spot + 1 : first]
    apart = before if "\n" in before else " "
    indent = before.rpartition("\n")[2] if "\n" in before else _indent_at(text, spot)
    end = _end(text, last)
    return f"{text[:end]},{apart}{key}{_laid_out(text, value, indent)}{text[end:]}"


def _laid_out(text: str, value: Any, indent: str) -> str:
    return laid_out(value, indent, _unit(text), "\r\n" if "\r\n" in text else "\n")


def _unit(text: str) -> str:
    """Return what the text is indented by."""
    match = _INDENT.search(text)
    return match[1] if match else "    "


def _indent_at(text: str, offset: int) -> str:
    """Return what the line of ``offset`` begins with."""
    match = _BEGINNING.match(text, text.rfind("\n", 0, offset) + 1, offset)
    return match[0] if match else ""


def _end(text: str, start: int) -> int:
    return json.JSONDecoder().raw_decode(text, start)[1]


def _at(value: Any, pointer: Pointer) -> Any:
    for step in pointer:
        value = value[step]
    return value


def _put(value: Any, pointer: Pointer, new: Any) -> None:
    parent = _at(value, pointer[:-1])
    if not isinstance(parent, dict | list):
        raise ValueError(f"there is nothing to put a value into at {pointer[:-1]}")  # noqa: TRY004 - as above
    step: Any = pointer[-1]
    parent[step] = new


def _as_meant(text: str, expected: Any) -> str:
    if read_json(text).value != expected:
        raise ValueError("the changed text does not read back as it was meant")
    return text
