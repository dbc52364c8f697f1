"""Topic filters: who is subscribed to what, matched as the Java nucleus matches (its ``SubscriptionTrie``).

``+`` matches one level, ``#`` one level or more (so ``a/#`` does not match ``a``); both only as a whole level. Nucleus
lite and IoT Core match as MQTT says: ``a/#`` matches ``a``, and no wildcard matches the first level of a ``$`` topic.
"""

import re
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["FilterList", "SubscriptionTrie", "filter_pattern", "has_wildcard"]

T = TypeVar("T", bound=Hashable)


def _levels(topic: str) -> list[str]:
    levels = topic.split("/")
    # Java's String.split drops empty strings at the end, so "a/b/" and "a/b" are one topic there.
    while len(levels) > 1 and not levels[-1]:
        levels.pop()
    return levels


def has_wildcard(topic_filter: str) -> bool:
    """Return whether the filter has a ``+`` level, or a ``#`` as its last level."""
    levels = _levels(topic_filter)
    return "+" in levels or levels[-1] == "#"


def filter_pattern(topic_filter: str) -> re.Pattern[str]:
    """Return the pattern of an MQTT topic filter: ``a/#`` takes ``a`` too, ``#`` and ``+`` take no ``$`` topics."""
    head = "(?!\\$)" if topic_filter[:1] in {"+", "#"} else ""
    body = "/".join("[^/]*" if level == "+" else re.escape(level) for level in topic_filter.split("/"))
    if body == re.escape("#"):
        body = ".*"
    elif body.endswith("/" + re.escape("#")):
        body = body[: -len("/" + re.escape("#"))] + "(?:/.*)?"
    return re.compile(head + body, re.DOTALL)


class _Node(Generic[T]):
    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.subscribers: dict[T, None] = {}

    def matching(self, level: str) -> "Iterator[_Node[T]]":
        for key in dict.fromkeys((level, "+", "#")):
            child = self.children.get(key)
            if child is not None:
                yield child

    def remove(self, levels: list[str], subscriber: T) -> None:
        if not levels:
            self.subscribers.pop(subscriber, None)
            return
        child = self.children.get(levels[0])
        if child is not None:
            child.remove(levels[1:], subscriber)
            if not child.children and not child.subscribers:
                del self.children[levels[0]]

    def count(self) -> int:
        return len(self.subscribers) + sum(child.count() for child in self.children.values())


class SubscriptionTrie(Generic[T]):
    """Subscribers by topic filter. Not for several threads at once."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, topic_filter: str, subscriber: T) -> None:
        """Add a subscriber; adding it twice to one filter is adding it once."""
        node = self._root
        for level in _levels(topic_filter):
            node = node.children.setdefault(level, _Node())
        node.subscribers[subscriber] = None

    def remove(self, topic_filter: str, subscriber: T) -> None:
        """Remove a subscriber and the levels that nobody needs any more; nothing happens when it is not there."""
        self._root.remove(_levels(topic_filter), subscriber)

    def match(self, topic: str) -> list[T]:
        """Return who is subscribed to a topic, each once."""
        found: dict[T, None] = {}
        nodes = [self._root]
        for level in _levels(topic):
            below: list[_Node[T]] = []
            for node in nodes:
                below.extend(node.matching(level))
                rest = node.children.get("#")
                if rest is not None:
                    found.update(rest.subscribers)
            nodes = below
        for node in nodes:
            found.update(node.subscribers)
        return list(found)

    def __len__(self) -> int:
        return self._root.count()


class FilterList(Generic[T]):
    """Subscribers by topic filter, matched as MQTT says. Not for several threads at once."""

    def __init__(self) -> None:
        self._filters: dict[tuple[str, T], re.Pattern[str]] = {}

    def add(self, topic_filter: str, subscriber: T) -> None:
        """Add a subscriber; adding it twice to one filter is adding it once."""
        self._filters[topic_filter, subscriber] = filter_pattern(topic_filter)

    def remove(self, topic_filter: str, subscriber: T) -> None:
        """Remove a subscriber; nothing happens when it is not there."""
        self._filters.pop((topic_filter, subscriber), None)

    def match(self, topic: str) -> list[T]:
        """Return who is subscribed to a topic, each once."""
        found = (subscriber for (_, subscriber), pattern in self._filters.items() if pattern.fullmatch(topic))
        return list(dict.fromkeys(found))

    def __len__(self) -> int:
        return len(self._filters)
