"""The JSON reader takes what JSON is, refuses what it is not, and knows where everything stands."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.documents.json_text import MAX_DEPTH, JsonTextError, line_and_column, read_json

TEXT = """{
  "a": [1, {"b": "x"}],
  "ä": "\\u00e4\\n",
  "a": 2.5e1
}
"""


def test_places_are_off() -> None:
    tree = read_json(TEXT)
    assert tree.value == {"a": 25.0, "ä": "ä\n"}
    assert line_and_column(TEXT, tree.span(("ä",), key=True).start) == (3, 3)
    assert line_and_column(TEXT, tree.span(("ä",)).start) == (3, 8)
    assert line_and_column(TEXT, tree.span(("a",)).start) == (4, 8)
    assert [pointer for pointer, _ in tree.duplicates] == [("a",)]
    assert line_and_column(TEXT, tree.duplicates[0][1].start) == (4, 3)


def test_place_of_a_replaced_value_is_kept() -> None:
    tree = read_json(TEXT)
    assert ("a", 1, "b") not in tree.values
    assert tree.span(("a", 1, "b")) == tree.span(("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found the end of the file"),
        ('{"a": 1', 'expected "," or "}"'),
        ('{"a": 1,}', "a comma before it is one too many"),
        ("[1,]", "one too many"),
        ("[1 2]", "after value 1 of the list"),
        ("{'a': 1}", "double quotes"),
        ('{"a" 1}', 'expected ":" after the key "a"'),
        ("[1] 2", "end of the file after the document"),
        ("// x\n{}", "a comment"),
        ('["a\nb"]', "without a closing quote"),
        ("[NaN]", "found 'N'"),
        ("[01]", 'expected "," or "]"'),
        ('["\\x"]', "escape"),
        ('["\\ud800"]', "surrogate"),
        ("{1: 2}", "expected a key in quotes"),
        ("[" + "9" * 65 + "]", "number of 65 characters"),
        ("nul", "found 'n'"),
        (":", "found ':'"),
    ],
)
def test_text_that_is_no_json_is_taken(text: str, message: str) -> None:
    with pytest.raises(JsonTextError, match=re.escape(message)) as caught:
        read_json(text)
    assert 0 <= caught.value.span.start <= len(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_ends_the_process(opening: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        read_json(opening * 100_000)
    assert caught.value.too_deep
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH).value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 1, "\t"]))
def test_reader_differs_from_the_standard_library(value: Any, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    tree = read_json(text)
    assert tree.value == value
    for pointer, span in tree.values.items():
        found: Any = value
        for step in pointer:
            found = found[step]
        if not isinstance(found, dict | list):
            assert json.loads(text[span.start : span.end]) == found


@given(st.text(alphabet='[]{}",:0123456789.eE+-truefalsn \n\\u', max_size=40))
def test_reader_takes_more_or_less_than_the_standard_library(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(JsonTextError):
            read_json(text)
    else:
        result = lenient(text)
        assert result is None or result == expected or (isinstance(result, float) and math.isnan(result))


def lenient(text: str) -> Any:
    """Read what is JSON for the standard library; None where it is refused for half a character or a long number."""
    try:
        return read_json(text).value
    except JsonTextError as error:
        if "surrogate" in str(error) or "number of" in str(error):
            return None
        raise
