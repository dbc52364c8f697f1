"""Replaces strings in a JSON text and leaves every other character as it is."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from vedette.documents.json_text import JsonText, Pointer, read_json


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
    if read_json(text).value != expected:
        raise ValueError("the changed text does not read back as it was meant")
    return text


def _put(value: Any, pointer: Pointer, new: str) -> None:
    for step in pointer[:-1]:
        value = value[step]
    value[pointer[-1]] = new
