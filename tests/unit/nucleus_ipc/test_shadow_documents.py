"""Shadows: merge, delta, metadata, files, rate limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.ipc.rate_limit import RateLimit, RequestRates
from vedette.nucleus.shadow_document import ShadowDocument, delta
from vedette.nucleus.shadows import CLASSIC, ShadowStore, ShadowStoreError


@pytest.mark.parametrize(
    ("patches", "state"),
    [
        ([{"desired": {"a": 1}}], {"desired": {"a": 1}}),
        ([{"desired": {"a": {"b": 1, "c": 2}}}, {"desired": {"a": {"b": None}}}], {"desired": {"a": {"c": 2}}}),
        ([{"desired": {"a": 1}, "reported": {"a": 1}}, {"desired": None}], {"reported": {"a": 1}}),
        ([{"desired": {"a": 1}}, {"desired": {}}], {}),
        ([{"desired": {"a": 1}, "reported": {"b": 1}}, None], {}),
        ([{"desired": {"a": 1}}, {}], {"desired": {"a": 1}}),
        ([{"desired": {"a": None}}], {}),
        ([{"desired": {"a": {"b": None}}}], {}),
        ([{"desired": {"a": [1, {"x": 1}]}}, {"desired": {"a": [2]}}], {"desired": {"a": [2]}}),
        ([{"desired": {"a": {"b": 1}}}, {"desired": {"a": 5}}], {"desired": {"a": 5}}),
        ([{"desired": {"a": 5}}, {"desired": {"a": {"b": 1}}}], {"desired": {"a": {"b": 1}}}),
        ([{"desired": {"a": 1}}, {"desired": {"a": {}}}], {}),
    ],
)
def test_updates_merge_into_another_state(patches: list[Any], state: Any) -> None:
    document = ShadowDocument()
    for patch in patches:
        document, _ = document.updated(patch, 7)
    assert document.state == state
    assert document.version == len(patches)
    assert shape(document.metadata) == shape(document.state)


def shape(value: Any) -> Any:
    """The keys alone; a time stamp counts as a value."""
    if isinstance(value, dict) and value.keys() != {"timestamp"}:
        return {key: shape(child) for key, child in value.items()}
    return [shape(child) for child in value] if isinstance(value, list) else "value"


def test_time_stamps_of_untouched_values_move() -> None:
    document, first = ShadowDocument().updated({"desired": {"a": 1, "b": {"c": 2, "d": [1]}}}, 1)
    assert first == {"desired": {"a": {"timestamp": 1}, "b": {"c": {"timestamp": 1}, "d": [{"timestamp": 1}]}}}
    document, second = document.updated({"desired": {"b": {"c": 3, "gone": None}}}, 2)
    assert second == {"desired": {"b": {"c": {"timestamp": 2}, "gone": {"timestamp": 2}}}}
    assert document.metadata == {
        "desired": {"a": {"timestamp": 1}, "b": {"c": {"timestamp": 2}, "d": [{"timestamp": 1}]}}
    }


def test_update_changes_the_document_it_came_from() -> None:
    before, _ = ShadowDocument().updated({"desired": {"a": {"b": 1}}}, 1)
    copy = json.dumps(before.plain())
    before.updated({"desired": {"a": {"b": 2, "c": 3}}}, 2)
    assert json.dumps(before.plain()) == copy


@pytest.mark.parametrize(
    ("reported", "desired", "expected"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 1.0}, None),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": "1"}, {"a": 1}, {"a": 1}),
        ({"a": 1, "extra": 2}, {"a": 1}, None),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": [1, 2]}, {"a": [1, 2]}, None),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [2, 1]}),
        ({"a": 5}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_delta_is_another(reported: Any, desired: Any, expected: Any) -> None:
    assert delta(reported, desired) == expected


def test_delta_without_report_or_with_wrong_metadata() -> None:
    document, _ = ShadowDocument().updated({"desired": {"a": 1, "b": {"c": [1, 2]}}}, 3)
    stamp = {"timestamp": 3}
    assert document.delta() == ({"a": 1, "b": {"c": [1, 2]}}, {"a": stamp, "b": {"c": [stamp, stamp]}})
    document, _ = document.updated({"reported": {"a": 1}}, 4)
    assert document.delta() == ({"b": {"c": [1, 2]}}, {"b": {"c": [stamp, stamp]}})
    document, _ = document.updated({"reported": {"b": {"c": [1, 2]}}}, 5)
    assert document.delta() is None


def test_shadow_is_gone_after_a_restart(tmp_path: Path) -> None:
    document, _ = ShadowDocument().updated({"desired": {"a": "ä"}}, 1)
    store = ShadowStore(tmp_path / "shadows")
    store.put("thing", CLASSIC, document)
    store.put("thing", "named:1", document)
    store.put("other", "x", document)
    again = ShadowStore(tmp_path / "shadows")
    assert (again.get("thing", CLASSIC), again.get("thing", "named:1")) == (document, document)
    assert again.names("thing") == ["named:1"]
    assert again.delete("thing", CLASSIC) == document
    assert again.delete("thing", CLASSIC) is None
    assert ShadowStore(tmp_path / "shadows").get("thing", CLASSIC) is None
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.parametrize("content", ["", "[]", '{"state": {}}', '{"state": {"x": {}}, "metadata": {}, "version": 1}'])
def test_broken_file_is_taken_for_an_empty_shadow(tmp_path: Path, content: str) -> None:
    path = tmp_path / "thing" / "named" / "s.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ShadowStoreError, match=r"s\.json cannot be read .*; repair it, or remove it"):
        ShadowStore(tmp_path)


def test_shadow_that_cannot_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "thing").write_text("in the way")
    store = ShadowStore(tmp_path)
    with pytest.raises(ShadowStoreError, match="cannot be written"):
        store.put("thing", "s", ShadowDocument())
    assert store.get("thing", "s") is None


def test_rate_limit_lets_more_through() -> None:
    now = [0.0]
    limit = RateLimit(20, lambda: now[0])
    assert sum(limit.take() for _ in range(50)) == 20
    now[0] = 0.5
    assert sum(limit.take() for _ in range(50)) == 10
    now[0] = 100.0
    assert sum(limit.take() for _ in range(50)) == 20


def test_one_thing_uses_up_all_requests() -> None:
    rates = RequestRates(total=30, per_thing=20, clock=lambda: 0.0)
    assert sum(rates.take("a") for _ in range(50)) == 20
    assert sum(rates.take("b") for _ in range(50)) == 10
    for number in range(RequestRates.MAX_THINGS * 2):
        rates.take(f"thing-{number}")
    assert len(rates._things) == RequestRates.MAX_THINGS
