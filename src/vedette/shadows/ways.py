"""The two ways to a shadow: the nucleus's shadow manager, or the shadow's MQTT topics where there is none."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from vedette.application.desired import merged
from vedette.bus import Bus, BusTimeout, Subscription
from vedette.shadows.cache import load_desired, store_desired
from vedette.shadows.state import ShadowState, parsed, state_of

logger = logging.getLogger(__name__)

Changed = Callable[[ShadowState | None], None]
"""Called with the newest state, None for "there is no shadow (any more)"."""
ANSWER_S: Final = 5.0


class Way(Protocol):
    """How a shadow is read, watched and written. Methods raise BusError."""

    def watch(self, changed: Changed) -> list[Subscription]:
        """Call ``changed`` on the bus's thread after every change."""

    def read(self) -> None:
        """Have ``changed`` called with the present state."""

    def write(self, patch: Mapping[str, Any]) -> None:
        """Merge ``patch`` into ``state.reported``."""


class NucleusWay:
    """Through the shadow manager; its local topics tell of changes, those by the cloud too."""

    def __init__(self, bus: Bus, thing: str, name: str) -> None:
        self._bus = bus
        self._thing = thing
        self._name = name
        self._topic = f"$aws/things/{thing}/shadow/name/{name}"
        self._changed: Changed = lambda _state: None

    def watch(self, changed: Changed) -> list[Subscription]:
        """Call ``changed`` after every change."""
        self._changed = changed
        return [
            # Not the delta: nothing is said there when an entry is taken away.
            self._bus.subscribe(f"{self._topic}/update/documents", self._on_documents),
            self._bus.subscribe(f"{self._topic}/delete/accepted", lambda _topic, _payload: changed(None)),
        ]

    def read(self) -> None:
        """Have ``changed`` called with the present state."""
        self._changed(state_of(self._bus.get_shadow(self._thing, self._name)))

    def write(self, patch: Mapping[str, Any]) -> None:
        """Merge ``patch`` into ``state.reported``."""
        self._bus.update_shadow(self._thing, self._name, {"state": {"reported": dict(patch)}})

    def _on_documents(self, _topic: str, payload: bytes) -> None:
        state = state_of(parsed(payload).get("current"))
        if state is not None:
            self._changed(state)


class CloudWay:
    """Over the shadow's MQTT topics in AWS IoT Core, on a nucleus without a shadow manager.

    Each message tells a part; the whole is kept here and, for a start without a connection, in a file.
    """

    def __init__(self, bus: Bus, thing: str, name: str, cache: Path | None) -> None:
        self._bus = bus
        self._topic = f"$aws/things/{thing}/shadow/name/{name}"
        self._cache = cache
        self._changed: Changed = lambda _state: None
        self._lock = threading.Lock()
        self._state: ShadowState | None = None
        self._answered = threading.Event()

    def watch(self, changed: Changed) -> list[Subscription]:
        """Call ``changed`` after every change. What was last known counts until something newer comes."""
        self._changed = changed
        remembered = None if self._cache is None else load_desired(self._cache)
        if remembered is not None:
            self._take(ShadowState(desired=remembered))
        return [
            self._bus.subscribe_to_cloud(f"{self._topic}/{what}", handler)
            for what, handler in (
                ("get/+", self._on_get),
                # Not `update/documents`: it holds everything four times over, more than nucleus lite passes on.
                ("update/accepted", self._on_update),
                ("update/delta", self._on_update),
                ("update/rejected", self._on_update),
                ("delete/accepted", lambda _topic, _payload: self._take(None)),
            )
        ]

    def read(self) -> None:
        """Ask for the whole.

        :raises BusTimeout: when no answer comes: no connection, or an answer that is too long for the nucleus
        """
        self._answered.clear()
        self._bus.publish_to_cloud(f"{self._topic}/get", b"{}")
        if not self._answered.wait(ANSWER_S):
            raise BusTimeout(f"no answer about {self._topic} within {ANSWER_S:g} s: what was last known is used")

    def write(self, patch: Mapping[str, Any]) -> None:
        """Merge ``patch`` into ``state.reported``."""
        self._bus.publish_to_cloud(
            f"{self._topic}/update",
            json.dumps({"state": {"reported": dict(patch)}}, separators=(",", ":"), ensure_ascii=False).encode(),
        )

    def _on_get(self, topic: str, payload: bytes) -> None:
        document = parsed(payload)
        if topic.endswith("/get/accepted"):
            self._take(state_of(document))
        elif document.get("code") == 404:
            self._take(None)
        else:
            logger.warning("AWS IoT does not tell of %s: %.200s", self._topic, document.get("message"))
        self._answered.set()

    def _on_update(self, topic: str, payload: bytes) -> None:
        document = parsed(payload)
        what = topic.rpartition("/")[2]
        if what == "rejected":
            logger.warning("AWS IoT refuses an update of %s: %.200s", self._topic, document.get("message"))
        state = document.get("state")
        if not isinstance(state, Mapping) or what not in {"accepted", "delta"}:
            return
        patch: Mapping[str, Any] = {"desired": state} if what == "delta" else state
        before = self._state or ShadowState()
        whole = merged(
            {"desired": before.desired if isinstance(before.desired, Mapping) else {}, "reported": before.reported},
            {key: value for key, value in patch.items() if key in {"desired", "reported"}},
        )
        self._take(state_of({"state": whole, "version": document.get("version")}))

    def _take(self, state: ShadowState | None) -> None:
        with self._lock:
            self._state = state
        if self._cache is not None and not (state is not None and state.version is None):
            store_desired(self._cache, None if state is None else state.desired)
        self._changed(state)
