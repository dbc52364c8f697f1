"""What a nucleus tells who wants to know: changes of state and lines of output."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vedette.nucleus.states import ComponentState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComponentStateChanged:
    """A component went from one state to another; ``detail`` is one sentence, empty when all is well."""

    component: str
    old: ComponentState
    new: ComponentState
    detail: str = ""


@dataclass(frozen=True)
class ComponentOutput:
    """A component printed a line on ``stream`` (``stdout`` or ``stderr``); credentials in URLs are masked."""

    component: str
    stream: str
    line: str


Event = ComponentStateChanged | ComponentOutput
Listener = Callable[[Event], None]


class EventSubscription:
    """Ends with ``close``."""

    def __init__(self, events: "Events", listener: Listener) -> None:
        self._events = events
        self._listener = listener

    def close(self) -> None:
        """Stop calling the listener."""
        self._events.remove(self._listener)


class Events:
    """Hands each event to every listener, in order, on the nucleus's own thread: a listener must not block."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._mutex = threading.Lock()

    def subscribe(self, listener: Listener) -> EventSubscription:
        """Call ``listener`` with every event from now on."""
        with self._mutex:
            self._listeners = (*self._listeners, listener)
        return EventSubscription(self, listener)

    def remove(self, listener: Listener) -> None:
        """Stop calling ``listener``."""
        with self._mutex:
            self._listeners = tuple(known for known in self._listeners if known is not listener)

    def emit(self, event: Event) -> None:
        """Call every listener; one that fails is logged, the others are called all the same."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # one listener's fault must not reach the next one or the component
                logger.exception("a listener failed on %s", type(event).__name__)
