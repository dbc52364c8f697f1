"""Configuration of the components: a tree of values each, a timestamp at every leaf.

Leaves are strings, numbers, booleans, null and lists (whole); objects are branches. The rules on timestamps and on what
a deployment does are the Java nucleus's (``config/Topics.java``, ``componentmanager/KernelConfigResolver.java``).
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from vedette.nucleus.configuration_tree import Branch, KeyPath, changed_paths, parse_pointer
from vedette.nucleus.errors import NucleusError

__all__ = ["ConfigurationError", "ConfigurationStore", "KeyNotFoundError", "KeyPath", "StaleUpdateError"]


class ConfigurationError(NucleusError):
    """A change of configuration that cannot be carried out."""


class KeyNotFoundError(ConfigurationError):
    """A component or key path without configuration."""


class StaleUpdateError(ConfigurationError):
    """An update whose timestamp is older than the configuration."""


class _Component:
    def __init__(self) -> None:
        self.tree = Branch()
        self.defaults: Mapping[str, Any] = {}


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class ConfigurationStore:
    """Configuration in memory. Methods may be called from any thread; listeners run on the thread that changes."""

    def __init__(self, clock_ms: Callable[[], int] = _wall_clock_ms, *, lite: bool = False) -> None:
        """Begin empty.

        :param clock_ms: gives the timestamp of changes, Unix time in milliseconds
        :param lite: keep nucleus lite's rules: new defaults replace earlier defaults, never what was merged
        """
        self._clock_ms = clock_ms
        self._lite = lite
        self.journal: Callable[[str, Sequence[str], Mapping[str, Any], int], None] = lambda *_change: None
        """Called with component, key path, value and timestamp before a component's own change is acknowledged."""
        self._components: dict[str, _Component] = {}
        self._listeners: dict[object, tuple[str, KeyPath, Callable[[KeyPath], None]]] = {}
        self._lock = threading.RLock()

    def set_defaults(self, component: str, defaults: Mapping[str, Any]) -> None:
        """Take a recipe's DefaultConfiguration: adds what is absent and remembers it for ``reset``."""

        def change(entry: _Component) -> None:
            entry.defaults = defaults
            entry.tree.add_absent(defaults, over_defaults=self._lite)

        self._change(component, change)

    def apply(self, component: str, merge: Mapping[str, Any] | None = None, reset: Sequence[str] = ()) -> None:
        """Carry out a deployment: first ``reset``, then defaults where absent, then ``merge``.

        :param merge: merged into what is there; lists are replaced whole
        :param reset: JSON pointers that go back to the defaults; ``""`` is everything
        :raises ConfigurationError: a pointer that is none
        """
        try:
            pointers = [parse_pointer(pointer) for pointer in reset]
        except ValueError as error:
            raise ConfigurationError(f"reset of {component}: {error}") from error
        now = self._clock_ms()

        def change(entry: _Component) -> None:
            for pointer in pointers:
                entry.tree.remove(pointer)
            entry.tree.add_absent(entry.defaults)
            entry.tree.merge(merge or {}, now, newer_only=False)
            if not self._lite:
                entry.tree.touch(now)

        self._change(component, change)

    def update(self, component: str, key_path: Sequence[str], value: Mapping[str, Any], timestamp_ms: int) -> None:
        """Merge ``value`` into the object at ``key_path`` at a component's own request (UpdateConfiguration).

        Leaves that are newer than the timestamp stay as they are.

        :raises KeyNotFoundError: the component is not known
        :raises StaleUpdateError: something below ``key_path`` is newer than the timestamp
        """
        with self._lock:
            self._entry(component)
        stale = False

        def change(entry: _Component) -> None:
            nonlocal stale
            existed = entry.tree.find(key_path) is not None
            # The Java nucleus stamps what an update creates with the current time, whatever the request says.
            stamp_ms = timestamp_ms if existed else self._clock_ms()
            self.journal(component, key_path, value, stamp_ms)
            entry.tree.merge_at(key_path, value, stamp_ms)
            stale = existed and entry.tree.modified_ms(key_path) > timestamp_ms

        self._change(component, change)
        if stale:
            raise StaleUpdateError("Proposed timestamp is older than the config's latest modified timestamp")

    def replay(self, component: str, key_path: Sequence[str], value: Mapping[str, Any], stamp_ms: int) -> None:
        """Carry out again what ``journal`` was called with."""
        self._change(component, lambda entry: entry.tree.merge_at(key_path, value, stamp_ms))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nobody change anything for as long as the context lasts."""
        with self._lock:
            yield

    def copy(self) -> "ConfigurationStore":
        """Return a store with the same content and nobody listening, to try changes on."""
        twin = ConfigurationStore(self._clock_ms, lite=self._lite)
        twin.restore(self.snapshot())
        return twin

    def snapshot(self) -> dict[str, Any]:
        """Return everything as JSON can hold it: component -> ``{"defaults", "tree"}``."""
        with self._lock:
            return {
                name: {"defaults": deepcopy(dict(entry.defaults)), "tree": entry.tree.dump()}
                for name, entry in self._components.items()
            }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Make the content what ``snapshot`` returned; listeners hear of what changes.

        :raises ValueError, KeyError, TypeError: if it is no snapshot; the content is then as it was
        """
        entries = {name: (entry["defaults"], Branch.load(entry["tree"])) for name, entry in snapshot.items()}
        with self._lock:
            gone = [name for name in self._components if name not in entries]
        for name in gone:
            self.remove(name)
        for name, (defaults, tree) in entries.items():

            def change(entry: _Component, defaults: Any = defaults, tree: Branch = tree) -> None:
                entry.defaults, entry.tree = defaults, tree

            self._change(name, change)

    def remove(self, component: str) -> None:
        """Forget a component; nothing happens when it is not known."""
        self._change(component, lambda entry: entry.tree.remove(()))
        with self._lock:
            self._components.pop(component, None)

    def get(self, component: str, key_path: Sequence[str] = ()) -> Any:
        """Return a copy of the value at a key path; KeyNotFoundError when there is none."""
        with self._lock:
            node = self._entry(component).tree.find(key_path)
            if node is None:
                raise KeyNotFoundError(f"{component} has no configuration at {'/'.join(key_path)!r}")
            return node.plain()

    def find(self, component: str, key_path: tuple[str, ...]) -> Any:
        """Return a copy of the value at a key path, None when there is none."""
        with self._lock:
            entry = self._components.get(component)
            node = entry.tree.find(key_path) if entry else None
            return None if node is None else node.plain()

    def components(self) -> list[str]:
        """Return the names of the components with configuration, sorted."""
        with self._lock:
            return sorted(self._components)

    def listen(
        self, component: str, key_path: Sequence[str], listener: Callable[[KeyPath], None]
    ) -> Callable[[], None]:
        """Call ``listener(path)`` for every leaf at or below ``key_path`` that changes, and for what is removed.

        For a removed object the path is the object's. The listener must return at once. Returns the closer.
        """
        key = object()
        with self._lock:
            self._listeners[key] = (component, tuple(key_path), listener)

        def close() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return close

    def _entry(self, component: str) -> _Component:
        entry = self._components.get(component)
        if entry is None:
            raise KeyNotFoundError(f"component {component} has no configuration")
        return entry

    def _change(self, component: str, change: Callable[[_Component], object]) -> None:
        with self._lock:
            entry = self._components.setdefault(component, _Component())
            before = entry.tree.plain()
            change(entry)
            paths = changed_paths(before, entry.tree.plain())
            calls = [
                (listener, path)
                for path in paths
                for name, below, listener in self._listeners.values()
                if name == component and (path[: len(below)] == below or below[: len(path)] == path)
            ]
        for listener, path in calls:
            listener(path)
