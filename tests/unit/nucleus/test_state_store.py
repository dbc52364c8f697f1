"""The state on disk."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vedette.nucleus import state_store
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import DeploymentRecord
from vedette.nucleus.state_store import Change, Deployed, SavedState, StateStore

STATE = SavedState(Deployed({"": {"a": "*"}}, {"a": "1.0.0"}, {"a": {"defaults": {}, "tree": {"x": [1, 5]}}}), "id")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    made = StateStore(tmp_path / "state")
    yield made
    made.close()


def test_state_comes_back_changed(store: StateStore, tmp_path: Path) -> None:
    assert store.load() == (None, [], [])
    store.save(STATE)
    store.note(Change("a", ["deep"], {"x": "ä"}, 7))
    store.save_records([DeploymentRecord("id", 1, status="FAILED", cause="c", error_stack=("E",))])
    state, changes, records = StateStore(tmp_path / "state").load()
    assert state == STATE
    assert changes == [Change("a", ["deep"], {"x": "ä"}, 7)]
    assert records == [DeploymentRecord("id", 1, status="FAILED", cause="c", error_stack=("E",))]


def test_change_of_before_the_state_is_carried_out_twice(store: StateStore, tmp_path: Path) -> None:
    store.save(STATE)
    store.note(Change("a", [], {"x": 1}, 7))
    store.save(STATE)
    store.note(Change("a", [], {"x": 2}, 8))
    assert StateStore(tmp_path / "state").load()[1] == [Change("a", [], {"x": 2}, 8)]
    assert [path.name for path in (tmp_path / "state").glob("changes.*")] == ["changes.2.jsonl"]


def test_torn_line_spoils_what_follows(store: StateStore, tmp_path: Path) -> None:
    store.save(STATE)
    store.note(Change("a", [], {"x": 1}, 7))
    with (tmp_path / "state" / "changes.1.jsonl").open("ab") as file:
        file.write(b'{"component": "a", "pa')
    again = StateStore(tmp_path / "state")
    assert len(again.load()[1]) == 1
    again.note(Change("a", [], {"x": 3}, 9))
    again.close()
    assert StateStore(tmp_path / "state").load()[1] == [Change("a", [], {"x": 1}, 7), Change("a", [], {"x": 3}, 9)]


def test_changes_grow_without_end(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_store, "COMPACT_BYTES", 100)
    store.save(STATE)
    lengths = [store.long]
    store.note(Change("a", [], {"x": "y" * 100}, 7))
    lengths.append(store.long)
    store.save(STATE)
    assert [*lengths, store.long] == [False, True, False]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', json.dumps({"format": 2, "number": 1})])
def test_file_of_another_kind_is_taken(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(NucleusError, match=r"move .* away to begin anew"):
        StateStore(tmp_path).load()
