"""Three states of a shadow into one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.nucleus.shadow_document import ShadowDocument
from vedette.nucleus.shadow_merge import ABSENT, merged, patch

JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text(max_size=3) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@pytest.mark.parametrize(
    ("base", "local", "cloud", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),  # changed here
        ({"a": 1}, {"a": 1}, {"a": 3}, {"a": 3}),  # changed there
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}),  # both: the cloud's
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 1}, {"b": 1}),  # removed here
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, {"a": 1}),  # removed there
        ({"a": 1}, {}, {"a": 2}, {"a": 2}),  # removed here, changed there
        ({"o": {"a": 1}}, {"o": {"a": 1, "b": 2}}, {"o": {"a": 1, "c": 3}}, {"o": {"a": 1, "b": 2, "c": 3}}),
        (ABSENT, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),  # never agreed
    ],
)
def test_change_of_one_side_is_lost(base: Any, local: Any, cloud: Any, expected: Any) -> None:
    assert merged(base, local, cloud, cloud_wins=True) == expected


def test_device_loses_what_is_its_own() -> None:
    assert merged({"a": 1}, {"a": 2}, {"a": 3}, cloud_wins=False) == {"a": 2}


@given(OBJECT, OBJECT, OBJECT)
def test_merging_once_more_changes_something(base: Any, local: Any, cloud: Any) -> None:
    found = merged(base, local, cloud, cloud_wins=True)
    assert merged(found, found, found, cloud_wins=True) == found


@given(OBJECT, OBJECT)
def test_patch_leads_elsewhere(before: Any, after: Any) -> None:
    document, _ = ShadowDocument().updated({"desired": before}, 1)
    change = patch(before, after)
    if change is None:
        assert before == after
    elif after:
        document, _ = document.updated({"desired": change}, 2)
        assert document.state.get("desired", {}) == after
