"""A bus within one process, for tests of components: no nucleus, no socket, the same threads and bounds.

::

    broker = MemoryBroker()
    with MemoryBus(broker, "vedette.CameraIngest", secrets={"cam": "..."}) as bus, MemoryBus(broker, "probe") as probe:
        heard = probe.record("vedette/camera/+/status")
        ...
        topic, payload = heard.get(timeout=5)
"""

import copy
import json
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from vedette.bus.dispatch import Dispatcher, Mailbox
from vedette.bus.errors import BusLost, NotFound, NotSupported, Refused
from vedette.bus.interface import (
    MAX_BYTES,
    QUEUE_MESSAGES,
    ConfigurationHandler,
    InstalledComponent,
    MessageHandler,
    Subscription,
    UpdateHandler,
)
from vedette.bus.topics import matches

__all__ = ["MemoryBroker", "MemoryBus"]


class MemoryBroker:
    """What the buses of one test have in common: subscriptions, configuration and shadows."""

    def __init__(self) -> None:
        self.configuration: dict[str, dict[str, Any]] = {}
        """Configuration by component; change it with ``MemoryBus.set_configuration``."""
        self.shadows: dict[tuple[str, str], dict[str, Any]] = {}
        """``{"state": {"desired": ..., "reported": ...}, "version": n}`` by thing and shadow name."""
        self.lock = threading.RLock()
        self.cloud: Callable[[str, bytes], None] | None = None
        """Gets what is published to AWS IoT Core; without one nothing comes back."""
        self.has_shadows = True
        """False: shadow operations are refused as nucleus lite does."""
        self.components: list[InstalledComponent] | None = None
        """What the nucleus lists; None: it does not, and tells of no updates, as nucleus lite."""
        self._subscriptions: list[_Subscribed] = []

    def add(self, subscription: "_Subscribed") -> None:
        """Take a subscription of a bus."""
        with self.lock:
            self._subscriptions.append(subscription)

    def remove(self, subscription: "_Subscribed") -> None:
        """Forget a subscription."""
        with self.lock:
            self._subscriptions = [other for other in self._subscriptions if other is not subscription]

    def deliver(self, topic: str, payload: bytes) -> None:
        """Hand a message to everybody whose filter matches."""
        with self.lock:
            for subscription in self._subscriptions:
                if matches(subscription.topic_filter, topic):
                    subscription.deliver(topic, payload)

    def deliver_from_cloud(self, topic: str, payload: bytes) -> None:
        """Hand a message of AWS IoT Core to everybody whose filter matches."""
        self.deliver(f"{_CLOUD}{topic}", payload)

    def update(self, deployment_id: str, *, begins: bool) -> None:
        """Tell who watches updates of a deployment."""
        self.deliver(_UPDATES, (b"+" if begins else b"-") + deployment_id.encode())


_CLOUD: Final = "cloud "
"""Before topics and filters of AWS IoT Core: no local filter matches them."""
_UPDATES: Final = "updates "
"""Where updates are told of."""


class _Subscribed:
    def __init__(self, broker: MemoryBroker, topic_filter: str, handler: MessageHandler, mailbox: Mailbox) -> None:
        self.topic_filter = topic_filter
        self._broker = broker
        self._handler = handler
        self._mailbox = mailbox

    def deliver(self, topic: str, payload: bytes) -> None:
        self._mailbox.put(lambda: self._handler(topic, payload))

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped

    def close(self) -> None:
        self._broker.remove(self)
        self._mailbox.close()


class _Watch:
    def __init__(self, watches: dict[Mailbox, ConfigurationHandler], mailbox: Mailbox) -> None:
        self._watches = watches
        self._mailbox = mailbox

    @property
    def dropped(self) -> int:
        return 0

    def close(self) -> None:
        self._watches.pop(self._mailbox, None)
        self._mailbox.close()


class MemoryBus:
    """A ``Bus`` of one component. Buses on one ``MemoryBroker`` hear each other."""

    def __init__(
        self,
        broker: MemoryBroker | None = None,
        component: str = "test",
        *,
        configuration: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        shadows: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
        queue_messages: int = QUEUE_MESSAGES,
    ) -> None:
        """Join a broker (a new one when none is given).

        :param configuration: this component's
        :param secrets: secret text by name or ARN
        :param shadows: ``{(thing, name): {"desired": {...}, "reported": {...}}}``, added to the broker's
        """
        self.lost = threading.Event()
        self.broker = broker or MemoryBroker()
        self.component = component
        self.published: list[tuple[str, bytes]] = []
        """Everything this bus has published."""
        self.running_reports = 0
        """How often ``report_running`` was called."""
        self.secrets = dict(secrets or {})
        """Secrets by name, as the device has them; a test may change them."""
        self.rotated: dict[str, str] = {}
        """Secrets by name, as AWS has them, where that differs."""
        self._queue_messages = queue_messages
        self._closed = False
        self._dispatcher = Dispatcher(f"bus of {component}")
        self._subscriptions: list[_Subscribed] = []
        self._watches: dict[Mailbox, ConfigurationHandler] = {}
        with self.broker.lock:
            self.broker.configuration.setdefault(component, {}).update(copy.deepcopy(dict(configuration or {})))
            for key, state in (shadows or {}).items():
                self.broker.shadows[key] = {"state": copy.deepcopy(dict(state)), "version": 1}

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to every matching subscription of every bus on this broker."""
        self._check()
        if len(payload) > MAX_BYTES:
            raise ValueError(f"message on {topic} has {len(payload)} bytes, the limit is {MAX_BYTES}")
        if any(wildcard in topic for wildcard in "+#*"):
            raise Refused(f"refused: {topic}: Publish topic must not contain a wildcard.")
        self.published.append((topic, payload))
        self.broker.deliver(topic, payload)

    def subscribe(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler on this bus's thread for every message that matches."""
        self._check()
        mailbox = self._dispatcher.mailbox(topic_filter, self._queue_messages)
        subscription = _Subscribed(self.broker, topic_filter, handler, mailbox)
        self._subscriptions.append(subscription)
        self.broker.add(subscription)
        return subscription

    def record(self, topic_filter: str) -> "queue.SimpleQueue[tuple[str, bytes]]":
        """Return a queue that gets (topic, payload) of every message that matches."""
        heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.subscribe(topic_filter, lambda topic, payload: heard.put((topic, payload)))
        return heard

    def get_configuration(self, key_path: Sequence[str] = (), component: str | None = None) -> dict[str, Any]:
        """Return the object at a key path; a leaf comes as ``{"<its key>": value}``."""
        self._check()
        with self.broker.lock:
            value: Any = self.broker.configuration.get(component or self.component)
            for key in key_path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is None:
                raise NotFound(f"not found: configuration {'/'.join(key_path)} of {component or self.component}")
            return copy.deepcopy(value) if isinstance(value, dict) else {key_path[-1]: copy.deepcopy(value)}

    def set_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Replace this component's configuration and tell who watches it; a deployment in a test."""
        with self.broker.lock:
            self.broker.configuration[self.component] = copy.deepcopy(dict(configuration))
        for mailbox, handler in list(self._watches.items()):
            mailbox.put(handler)

    def watch_configuration(self, handler: ConfigurationHandler) -> Subscription:
        """Call the handler after ``set_configuration``."""
        self._check()
        mailbox = self._dispatcher.mailbox("configuration", 1)
        self._watches[mailbox] = handler
        return _Watch(self._watches, mailbox)

    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        """Return one of the secrets given to this bus; a fresh one goes before the device's copy."""
        self._check()
        if fresh and secret_id in self.rotated:
            self.secrets[secret_id] = self.rotated[secret_id]
        if secret_id not in self.secrets:
            raise NotFound(f"not found: secret {secret_id}")
        return self.secrets[secret_id]

    def get_shadow(self, thing: str, name: str) -> dict[str, Any] | None:
        """Return a copy of a shadow, None when there is none. There is no delta and no metadata here."""
        self._check_shadows()
        with self.broker.lock:
            return copy.deepcopy(self.broker.shadows.get((thing, name)))

    def update_shadow(self, thing: str, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Merge the document's state, null removes a value; tell it on the shadow's topic ``update/documents``."""
        self._check_shadows()
        with self.broker.lock:
            shadow = self.broker.shadows.setdefault((thing, name), {"state": {}, "version": 0})
            _merge(shadow["state"], document["state"])
            shadow["version"] += 1
            told = json.dumps({"current": shadow}).encode()
            accepted = {"state": copy.deepcopy(dict(document["state"])), "version": shadow["version"]}
        self.broker.deliver(f"$aws/things/{thing}/shadow/name/{name}/update/documents", told)
        return accepted

    def delete_shadow(self, thing: str, name: str) -> None:
        """Remove a shadow and tell it on its topic ``delete/accepted``."""
        with self.broker.lock:
            self.broker.shadows.pop((thing, name), None)
        self.broker.deliver(f"$aws/things/{thing}/shadow/name/{name}/delete/accepted", b"{}")

    def publish_to_cloud(self, topic: str, payload: bytes) -> None:
        """Hand a message to the broker's ``cloud``."""
        self._check()
        if len(payload) > MAX_BYTES:
            raise ValueError(f"message on {topic} has {len(payload)} bytes, the limit is {MAX_BYTES}")
        if self.broker.cloud is not None:
            self.broker.cloud(topic, payload)

    def subscribe_to_cloud(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler for what the broker's ``deliver_from_cloud`` is given."""
        return self.subscribe(f"{_CLOUD}{topic_filter}", lambda topic, data: handler(topic[len(_CLOUD) :], data))

    def watch_updates(self, handler: UpdateHandler) -> Subscription:
        """Call the handler for what the broker's ``update`` tells."""
        self._check_components()
        return self.subscribe(_UPDATES, lambda _topic, data: handler(data[1:].decode(), data[:1] == b"+"))

    def list_components(self) -> list[InstalledComponent]:
        """Return the broker's ``components``."""
        self._check_components()
        return list(self.broker.components or ())

    def report_running(self) -> None:
        """Count the report."""
        self._check()
        self.running_reports += 1

    def lose(self) -> None:
        """Lose the connection, as when the nucleus ends."""
        self.lost.set()

    def close(self) -> None:
        """End the subscriptions and the handlers' thread."""
        self._closed = True
        for subscription in self._subscriptions:
            self.broker.remove(subscription)
        self._dispatcher.close()

    def _check_components(self) -> None:
        self._check()
        if self.broker.components is None:
            raise NotSupported("this nucleus does not offer it: components and updates")

    def _check_shadows(self) -> None:
        self._check()
        if not self.broker.has_shadows:
            raise NotSupported("this nucleus does not offer it: shadows")

    def _check(self) -> None:
        if self.lost.is_set() or self._closed:
            raise BusLost("connection to the nucleus lost")

    def __enter__(self) -> "MemoryBus":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
