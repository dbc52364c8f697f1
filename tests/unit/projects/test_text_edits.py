"""Edits of JSON texts: what was meant is there, and nothing else was touched."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.projects.text_edits import append_item, set_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text('ab"\\ä', max_size=3), below, max_size=3),
    max_leaves=8,
)
LAYOUTS: list[dict[str, Any]] = [
    {"indent": 4},
    {"indent": "\t"},
    {"indent": 2, "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
]


@settings(max_examples=60, deadline=None)
@given(before=JSON, items=st.lists(JSON, max_size=3), item=JSON, layout=st.sampled_from(LAYOUTS))
def test_an_item_is_put_elsewhere_or_changes_others(before: Any, items: list[Any], item: Any, layout: Any) -> None:
    text = json.dumps({"before": before, "list": items, "after": before}, **layout)
    changed = append_item(text, ("list",), item)
    assert json.loads(changed) == {"before": before, "list": [*items, item], "after": before}
    end = text.index('"list"')
    assert changed.startswith(text[:end]), "what stands before is as it was"


@settings(max_examples=60, deadline=None)
@given(
    members=st.dictionaries(st.text("abc", max_size=2), JSON, max_size=3), value=JSON, layout=st.sampled_from(LAYOUTS)
)
def test_a_value_is_put_elsewhere_or_changes_others(members: dict[str, Any], value: Any, layout: Any) -> None:
    text = json.dumps({"object": members, "after": 1}, **layout)
    for key in ("a", "new"):
        assert json.loads(set_value(text, ("object", key), value)) == {"object": {**members, key: value}, "after": 1}


def test_the_lines_of_a_document_are_laid_out_anew() -> None:
    text = '{\r\n  "a" :  [ 1,2 ],\r\n  "b": [\r\n     {"x":1}\r\n  ]\r\n}\r\n'
    assert append_item(text, ("b",), {"y": 2}) == text.replace('{"x":1}', '{"x":1},\r\n     {"y": 2}')
    assert append_item(text, ("a",), 3) == text.replace("1,2 ", "1,2, 3 ")
    assert append_item(text, ("c",), 3) == text.replace("\r\n  ]\r\n}", '\r\n  ],\r\n  "c": [3]\r\n}')


@pytest.mark.parametrize("pointer", [("a",), ("b", "c", "d")])
def test_a_place_that_is_none_is_taken(pointer: Any) -> None:
    with pytest.raises((ValueError, KeyError)):
        append_item('{"a": {"b": 1}, "b": {"c": 5}}', pointer, 1)
