"""The tree that one component's configuration is kept in."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Branch", "KeyPath", "Leaf", "changed_paths", "parse_pointer"]

KeyPath = tuple[str, ...]
DEFAULT_MS = 1
"""Timestamp of a recipe's default: older than anything a deployment or a component writes."""


@dataclass(slots=True)
class Leaf:
    """A value that is replaced whole, and when it was written (Unix time in ms)."""

    value: Any
    modified_ms: int

    def plain(self) -> Any:
        """Return a copy of the value."""
        return copy.deepcopy(self.value)


@dataclass(slots=True)
class Branch:
    """An object: children by key."""

    children: "dict[str, Branch | Leaf]" = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the object as plain dicts, lists and values, copied."""
        return {key: child.plain() for key, child in self.children.items()}

    def dump(self) -> dict[str, Any]:
        """Return the object with its timestamps as JSON can hold it: objects as objects, leaves as [value, ms]."""
        return {
            key: child.dump() if isinstance(child, Branch) else [copy.deepcopy(child.value), child.modified_ms]
            for key, child in self.children.items()
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> "Branch":
        """Return what ``dump`` was called on.

        :raises ValueError, TypeError: if it is nothing that ``dump`` returns
        """
        branch = cls()
        for key, child in dumped.items():
            if isinstance(child, Mapping):
                branch.children[key] = cls.load(child)
            else:
                value, modified_ms = child
                branch.children[key] = Leaf(copy.deepcopy(value), int(modified_ms))
        return branch

    def find(self, path: Sequence[str]) -> "Branch | Leaf | None":
        """Return the node at a path, None when there is none."""
        node: Branch | Leaf = self
        for key in path:
            child = node.children.get(key) if isinstance(node, Branch) else None
            if child is None:
                return None
            node = child
        return node

    def add_absent(self, values: Mapping[str, Any], *, over_defaults: bool = False) -> None:
        """Add what is not there yet, with the timestamp of a default; ``over_defaults``: earlier defaults give way."""
        for key, value in values.items():
            child = self.children.get(key)
            earlier = over_defaults and isinstance(child, Leaf) and child.modified_ms == DEFAULT_MS
            if child is None or earlier:
                self._set(key, value, DEFAULT_MS, newer_only=False)
            elif isinstance(child, Branch) and isinstance(value, Mapping):
                child.add_absent(value, over_defaults=over_defaults)

    def merge(self, values: Mapping[str, Any], stamp_ms: int, *, newer_only: bool) -> None:
        """Write values over what is there; with ``newer_only`` a leaf that was written later stays."""
        for key, value in values.items():
            self._set(key, value, stamp_ms, newer_only=newer_only)

    def _set(self, key: str, value: Any, stamp_ms: int, *, newer_only: bool) -> None:
        child = self.children.get(key)
        if isinstance(value, Mapping):
            if not isinstance(child, Branch):
                child = self.children[key] = Branch()
            child.merge(value, stamp_ms, newer_only=newer_only)
        elif not (newer_only and isinstance(child, Leaf) and child.modified_ms > stamp_ms):
            self.children[key] = Leaf(copy.deepcopy(value), stamp_ms)

    def merge_at(self, path: Sequence[str], values: Mapping[str, Any], stamp_ms: int) -> None:
        """Merge into the object at a path, made when it is not there; a leaf on the way becomes an object."""
        node = self
        for key in path:
            child = node.children.get(key)
            if not isinstance(child, Branch):
                child = node.children[key] = Branch()
            node = child
        node.merge(values, stamp_ms, newer_only=True)

    def remove(self, path: Sequence[str]) -> None:
        """Remove what is at a path; nothing happens when there is nothing. The empty path removes everything."""
        if not path:
            self.children.clear()
            return
        parent = self.find(path[:-1])
        if isinstance(parent, Branch):
            parent.children.pop(path[-1], None)

    def touch(self, stamp_ms: int) -> None:
        """Give every leaf a timestamp, as a deployment does, unless it has a later one."""
        for leaf in self.leaves():
            leaf.modified_ms = max(leaf.modified_ms, stamp_ms)

    def modified_ms(self, path: Sequence[str]) -> int:
        """Return when the newest leaf at or below a path was written; 0 when there is none."""
        node = self.find(path)
        if node is None:
            return 0
        if isinstance(node, Leaf):
            return node.modified_ms
        return max((leaf.modified_ms for leaf in node.leaves()), default=0)

    def leaves(self) -> Iterator[Leaf]:
        """Give out every leaf below."""
        for child in self.children.values():
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.leaves()


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[KeyPath]:
    """Return the paths of leaves that are new or have another value, then of what is gone (an object counts once)."""
    changed: list[KeyPath] = []
    gone: list[KeyPath] = []
    _compare((), before, after, changed, gone)
    return changed + gone


def _compare(at: KeyPath, before: Any, after: Any, changed: list[KeyPath], gone: list[KeyPath]) -> None:
    if isinstance(after, Mapping):
        known = before if isinstance(before, Mapping) else {}
        for key, value in after.items():
            _compare((*at, key), known.get(key, _NOTHING), value, changed, gone)
        gone.extend((*at, key) for key in known if key not in after)
    elif type(before) is not type(after) or before != after:
        changed.append(at)


_NOTHING = object()


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return what merging ``first`` and then ``second`` into a configuration merges: lists are replaced whole."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return result


def without(values: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return the values but those at ``path`` and below; none where it is empty."""
    if not path:
        return {}
    key, *rest = path
    result = {each: value for each, value in values.items() if each != key}
    inner = values.get(key)
    if rest and key in values:
        result[key] = without(inner, rest) if isinstance(inner, Mapping) else inner
    return result


def parse_pointer(pointer: str) -> KeyPath:
    """Return the keys of a JSON pointer (RFC 6901); ValueError when it is none."""
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer, expected '' or something like '/camera/fps'")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
