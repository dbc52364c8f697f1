"""What a component may ask of the bus, whichever nucleus is behind it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

__all__ = [
    "MAX_BYTES",
    "QUEUE_MESSAGES",
    "Bus",
    "ConfigurationHandler",
    "InstalledComponent",
    "MessageHandler",
    "Subscription",
    "UpdateHandler",
]

MAX_BYTES: Final = 7_000
"""Longest payload, to the cloud too: nucleus lite closes the connection at 10,000 bytes a packet, 7,299 of payload."""
QUEUE_MESSAGES: Final = 256
"""Messages that wait for one subscription's handler before the oldest are dropped."""

MessageHandler = Callable[[str, bytes], None]
"""``handler(topic, payload)``."""
ConfigurationHandler = Callable[[], None]
UpdateHandler = Callable[[str, bool], None]
"""``handler(deployment id, begins)``: before a deployment changes components, and after it."""


class InstalledComponent(NamedTuple):
    """A component as the nucleus lists it."""

    name: str
    version: str
    state: str
    """The nucleus's own word: RUNNING, FINISHED, ERRORED, BROKEN, ..."""


class Subscription(Protocol):
    """One subscription of this component."""

    @property
    def dropped(self) -> int:
        """Messages that were dropped because the handler was too slow for them."""

    def close(self) -> None:
        """End it: the handler is not called any more, except for a call that runs now."""


class Bus(Protocol):
    """A component's connection to its nucleus. Every method may be called from any thread, handlers included.

    Handlers run one at a time on the bus's own thread; an exception in one is logged and ends nothing. Methods raise
    BusError, always within a few seconds.
    """

    lost: threading.Event
    """Set when the connection is gone. It does not come back: the component exits with code 3."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a binary message; ValueError for more than ``MAX_BYTES``."""

    def subscribe(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler for every message on topics that match; ``+`` is one level, ``#`` all below.

        The component's own messages come too. Up to ``QUEUE_MESSAGES`` wait for a slow handler; then the oldest are
        dropped and counted.
        """

    def get_configuration(self, key_path: Sequence[str] = (), component: str | None = None) -> dict[str, Any]:
        """Return the object at a key path; a leaf comes as ``{"<its key>": value}``. NotFound when there is none.

        Numbers may arrive as floats (Java nucleus) or as text (nucleus lite). ``accessControl`` is left out: it is the
        nucleus's own.
        """

    def watch_configuration(self, handler: ConfigurationHandler) -> Subscription:
        """Call the handler after this component's configuration has changed; several changes may give one call."""

    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        """Return the secret's text by name or ARN; ``fresh``: as AWS has it now, where it can be reached."""

    def get_shadow(self, thing: str, name: str) -> dict[str, Any] | None:
        """Return a shadow's document (state with delta, metadata, version), None when there is none."""

    def update_shadow(self, thing: str, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Send an update document such as ``{"state": {"reported": {...}}}``; return what was accepted."""

    def publish_to_cloud(self, topic: str, payload: bytes) -> None:
        """Hand a message for AWS IoT Core (QoS 1) to the nucleus, which keeps it while there is no connection."""

    def subscribe_to_cloud(self, topic_filter: str, handler: MessageHandler) -> Subscription:
        """Call the handler for every message of AWS IoT Core on topics that match."""

    def watch_updates(self, handler: UpdateHandler) -> Subscription:
        """Call the handler before and after a deployment; the nucleus need not wait for this component.

        NotSupported on nucleus lite. Deployments that are told not to notify components are not heard of.
        """

    def list_components(self) -> list[InstalledComponent]:
        """Return all components of the device.

        NotSupported on nucleus lite; Refused or Unauthorized on the Java nucleus without ``aws.greengrass.Cli``.
        """

    def report_running(self) -> None:
        """Tell the nucleus that this component works; it forgets the errors it has counted."""

    def close(self) -> None:
        """End the connection and the handlers' thread; ``lost`` stays clear."""
