"""What an operation gets to see of a request, and how it is described to the server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Call", "EventStream", "Operation"]


class EventStream(Protocol):
    """The open stream of a subscription. Its events never precede the operation's answer."""

    def send(self, payload: bytes) -> None:
        """Send one event, JSON of the operation's event shape; from any thread, returns at once."""

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the client ends the stream or is gone."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a component."""

    component: str
    request: dict[str, Any]
    stream: EventStream


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is served: ``handle`` returns the answer's JSON object or raises IpcRefusal.

    It may also return an awaitable of that, where the answer takes its time; the connection goes on meanwhile.
    """

    handle: Callable[[Call], dict[str, Any] | Awaitable[dict[str, Any]]]
    event_shape: str | None = None
    """Shape of its events; None for an operation that ends with its answer."""
    integers_as_floats: bool = False
    """Whether the Java nucleus reads the request's free-form objects with every number as a double."""
