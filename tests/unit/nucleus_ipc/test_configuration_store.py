"""Configuration: what a deployment does, what a component's own update does, who is told."""

from typing import Any

import pytest

from vedette.nucleus.configuration import ConfigurationError, ConfigurationStore, KeyNotFoundError, StaleUpdateError

DEFAULTS = {"camera": {"fps": 5, "name": "front", "sizes": [1, 2]}, "level": "INFO"}


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> ConfigurationStore:
    store = ConfigurationStore(clock)
    store.set_defaults("own", DEFAULTS)
    return store


def changes(store: ConfigurationStore, *key_path: str) -> list[tuple[str, ...]]:
    seen: list[tuple[str, ...]] = []
    store.listen("own", key_path, seen.append)
    return seen


def test_default_overwrites_what_the_device_has(store: ConfigurationStore) -> None:
    store.apply("own", {"camera": {"fps": 12}})
    store.set_defaults("own", {"camera": {"fps": 7, "codec": "h264"}, "new": True})
    assert store.get("own") == {
        "camera": {"fps": 12, "name": "front", "sizes": [1, 2], "codec": "h264"},
        "level": "INFO",
        "new": True,
    }


def test_merge_joins_lists_or_drops_neighbours(store: ConfigurationStore) -> None:
    store.apply("own", {"camera": {"sizes": [3]}, "level": {"a": 1}})
    assert store.get("own") == {"camera": {"fps": 5, "name": "front", "sizes": [3]}, "level": {"a": 1}}


@pytest.mark.parametrize(
    ("reset", "merge", "expected"),
    [
        (["/camera/fps"], None, {"camera": {**DEFAULTS["camera"], "extra": 1}, "level": "DEBUG"}),  # type: ignore[dict-item]
        (["/camera"], None, {"camera": DEFAULTS["camera"], "level": "DEBUG"}),
        ([""], None, DEFAULTS),
        ([""], {"camera": {"fps": 3}}, {"camera": {"fps": 3, "name": "front", "sizes": [1, 2]}, "level": "INFO"}),
        (["/none/x"], {}, {"camera": {"fps": 9, "name": "front", "sizes": [1, 2], "extra": 1}, "level": "DEBUG"}),
    ],
)
def test_reset_comes_after_merge_or_forgets_defaults(
    store: ConfigurationStore, reset: list[str], merge: Any, expected: Any
) -> None:
    store.apply("own", {"camera": {"fps": 9, "extra": 1}, "level": "DEBUG"})
    store.apply("own", merge, reset)
    assert store.get("own") == expected


def test_pointer_with_escapes_or_without_slash(store: ConfigurationStore) -> None:
    store.apply("own", {"a/b": {"c~d": 1}})
    store.apply("own", None, ["/a~1b/c~0d"])
    assert store.get("own", ["a/b"]) == {}
    with pytest.raises(ConfigurationError, match="'camera' is no JSON pointer"):
        store.apply("own", None, ["camera"])


def test_reader_changes_the_store(store: ConfigurationStore) -> None:
    value = store.get("own", ["camera"])
    value["sizes"].append(3)
    value["fps"] = 0
    merge = {"list": [1]}
    store.apply("own", merge)
    merge["list"].append(2)
    assert store.get("own", ["camera"]) == DEFAULTS["camera"]
    assert store.get("own", ["list"]) == [1]


def test_missing_key_gives_something(store: ConfigurationStore) -> None:
    for component, path in (("none", ()), ("own", ("none",)), ("own", ("level", "x"))):
        with pytest.raises(KeyNotFoundError):
            store.get(component, path)
        assert store.find(component, path) is None


def test_listeners_hear_too_much_or_too_little(store: ConfigurationStore) -> None:
    everything, camera, fps = changes(store), changes(store, "camera"), changes(store, "camera", "fps")
    store.apply("own", {"camera": {"fps": 5, "name": "back"}, "level": "INFO", "new": {"a": {"b": 1}}})
    assert everything == [("camera", "name"), ("new", "a", "b")]
    assert camera == [("camera", "name")]
    assert fps == []
    store.apply("other", {"camera": {"fps": 1}})
    assert everything == [("camera", "name"), ("new", "a", "b")]


def test_removal_is_not_told(store: ConfigurationStore) -> None:
    store.apply("own", {"extra": {"a": 1, "b": 2}})
    everything, leaf = changes(store), changes(store, "extra", "a")
    store.apply("own", None, ["/extra"])
    assert everything == [("extra",)]
    assert leaf == [("extra",)]
    store.remove("own")
    assert everything[1:] == [("camera",), ("level",)]
    assert store.components() == []


def test_closed_listener_is_called(store: ConfigurationStore) -> None:
    seen: list[tuple[str, ...]] = []
    close = store.listen("own", (), seen.append)
    close()
    close()
    store.apply("own", {"level": "DEBUG"})
    assert seen == []


def test_number_of_other_type_is_no_change(store: ConfigurationStore) -> None:
    seen = changes(store)
    store.update("own", ["camera"], {"fps": 5.0}, 2_000_000)
    assert seen == [("camera", "fps")]


def test_own_update_is_refused_over_defaults(store: ConfigurationStore) -> None:
    store.update("own", ["camera"], {"fps": 12}, 5)
    assert store.get("own", ["camera", "fps"]) == 12


def test_older_update_overwrites_a_newer_value(store: ConfigurationStore, clock: Clock) -> None:
    store.apply("own", {"camera": {"fps": 8}})
    with pytest.raises(StaleUpdateError):
        store.update("own", ["camera"], {"fps": 12}, clock.ms - 1)
    assert store.get("own", ["camera", "fps"]) == 8
    store.update("own", ["camera"], {"fps": 12}, clock.ms)
    assert store.get("own", ["camera", "fps"]) == 12


def test_new_key_is_refused_for_its_age(store: ConfigurationStore, clock: Clock) -> None:
    store.apply("own", {})
    store.update("own", ["fresh", "path"], {"a": 1}, 5)
    assert store.get("own", ["fresh"]) == {"path": {"a": 1}}
    with pytest.raises(StaleUpdateError):
        store.update("own", ["fresh", "path"], {"a": 2}, clock.ms - 1)


def test_update_of_a_leaf_or_an_unknown_component(store: ConfigurationStore) -> None:
    store.update("own", ["camera", "fps"], {"max": 5}, 2_000_000)
    assert store.get("own", ["camera", "fps"]) == {"max": 5}
    with pytest.raises(KeyNotFoundError):
        store.update("none", [], {"a": 1}, 1)
