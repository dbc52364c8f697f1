"""Local publish/subscribe: no queue, no retained messages; a topic nobody listens to swallows its messages."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vedette.nucleus.ipc.errors import InvalidArgumentsError
from vedette.nucleus.ipc.topics import FilterList, SubscriptionTrie, has_wildcard

__all__ = ["Broker", "Delivery", "Subscriber"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One published message on its way to its subscribers; ``document`` only for a jsonMessage (``is_json``)."""

    topic: str
    payload: bytes
    source: str
    document: Any = None
    is_json: bool = False
    encoded: str | None = None
    """The payload's base64 as it came, where it is handed on so (nucleus lite never looks at it)."""


class Subscriber(Protocol):
    """Who takes deliveries: must return at once and may be called from any thread."""

    def __call__(self, delivery: Delivery, /) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Subscription:
    component: str
    others_only: bool
    deliver: Subscriber


class Broker:
    """Hands messages to subscribers in the order they were published. Methods may be called from any thread."""

    def __init__(self, *, lite: bool = False) -> None:
        """``lite``: match topics as nucleus lite does (MQTT), and take wildcards in the topic of a message."""
        self._lite = lite
        self._subscriptions: SubscriptionTrie[_Subscription] | FilterList[_Subscription]
        self._subscriptions = FilterList() if lite else SubscriptionTrie()
        self._lock = threading.Lock()
        self.published = 0
        """Messages accepted so far."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        source: str,
        document: Any = None,
        *,
        is_json: bool | None = None,
        encoded: str | None = None,
    ) -> int:
        """Hand a message to everybody subscribed, and return to how many.

        :param source: name of the component that publishes
        :param document: the object, when the message is a jsonMessage (``payload`` is then its JSON)
        :param is_json: whether it is one; None: when there is a document
        :param encoded: base64 to hand on to components as it is; None: that of ``payload``
        :raises InvalidArgumentsError: the topic contains a wildcard
        """
        if not self._lite and any(wildcard in topic for wildcard in "+#*"):
            raise InvalidArgumentsError("Publish topic must not contain a wildcard.")
        with self._lock:
            self.published += 1
            subscriptions = self._subscriptions.match(topic)
        is_json = document is not None if is_json is None else is_json
        delivery = Delivery(topic, payload, source, document, is_json, encoded)
        delivered = 0
        for subscription in subscriptions:
            if subscription.others_only and subscription.component == source:
                continue
            delivered += 1
            subscription.deliver(delivery)
        return delivered

    def subscribe(self, topic_filter: str, callback: Callable[[str, bytes, str], None]) -> Callable[[], None]:
        """Call ``callback(topic, payload, source)`` for every message within the nucleus process; returns the closer.

        The callback runs on the thread that publishes and delays it, so it must return at once; an exception in it is
        logged and reaches nobody.
        """

        def deliver(delivery: Delivery) -> None:
            try:
                callback(delivery.topic, delivery.payload, delivery.source)
            except Exception:  # noqa: BLE001 -- whatever a subscriber raises is its own affair
                _log.exception("a subscriber of %s inside the nucleus failed", topic_filter)

        return self.add(topic_filter, "", deliver, others_only=False)

    def add(
        self, topic_filter: str, component: str, deliver: Subscriber, *, others_only: bool | None
    ) -> Callable[[], None]:
        """Subscribe for a component; returns the closer.

        :param others_only: leave out what the component itself publishes; None takes the Java nucleus's default: True
            for a filter with a wildcard
        :raises InvalidArgumentsError: the filter is empty
        """
        if not topic_filter:
            raise InvalidArgumentsError("Subscribe topic must not be empty")
        if others_only is None:
            others_only = has_wildcard(topic_filter)
        subscription = _Subscription(component, others_only, deliver)
        with self._lock:
            self._subscriptions.add(topic_filter, subscription)

        def close() -> None:
            with self._lock:
                self._subscriptions.remove(topic_filter, subscription)

        return close

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        with self._lock:
            return len(self._subscriptions)
