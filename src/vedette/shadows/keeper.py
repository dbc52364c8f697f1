"""Keeps one shadow: hears of changes, and makes ``reported`` what it should be."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from vedette.application.desired import merge_patch
from vedette.bus import Bus, BusError, BusLost, NotSupported, Subscription
from vedette.shadows.state import ShadowState
from vedette.shadows.ways import Changed, CloudWay, NucleusWay, Way

logger = logging.getLogger(__name__)

REFRESH_S: Final = 60.0
"""How often the whole is read anew: what was missed while there was no connection is found then."""
_AGAIN_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_SAME_AGAIN_S: Final = 30.0
"""An update that the shadow does not take over (somebody else writes against it) is not repeated sooner."""


class ShadowKeeper:
    """One shadow. ``on_state`` is called on a thread of the bus or of the keeper, never on two at once.

    A thread of its own does all that may block, so that a nucleus without an answer holds nobody up.
    """

    def __init__(
        self,
        bus: Bus,
        thing: str,
        name: str,
        *,
        on_state: Changed = lambda _state: None,
        cache: Path | None = None,
        refresh_s: float = REFRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``cache``: file for the last known ``desired``, for nuclei without shadows."""
        self.name = name
        self._bus = bus
        self._thing = thing
        self._on_state = on_state
        self._cache = cache
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._version = -1
        self._known: Mapping[str, Any] | None = None
        """``reported`` as it is, None while that is not known."""
        self._wanted: Mapping[str, Any] | None = None
        self._sent: tuple[Mapping[str, Any], float] | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._failures = 0
        self._subscriptions: list[Subscription] = []
        self._thread = threading.Thread(target=self._run, name=f"shadow {name}", daemon=True)

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def report(self, reported: Mapping[str, Any]) -> None:
        """Make ``state.reported`` this; only what differs from what is there is sent."""
        with self._lock:
            if self._wanted == reported:
                return
            self._wanted = dict(reported)
        self._wake.set()

    def close(self) -> None:
        """End it; what was reported last is not waited for."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        for subscription in self._subscriptions:
            subscription.close()

    def _run(self) -> None:
        way: Way | None = None
        read_at: float | None = None
        while not self._stop.is_set():
            try:
                if way is None:
                    way = self._open()
                if read_at is None or self._clock() - read_at >= self._refresh_s:
                    read_at = self._clock()
                    way.read()
                self._write(way)
                wait = max(0.0, self._refresh_s - (self._clock() - read_at))
                self._failures = 0
            except BusLost:
                return  # the component exits
            except BusError as error:
                wait = _AGAIN_S[min(self._failures, len(_AGAIN_S) - 1)]
                logger.log(logging.DEBUG if self._failures else logging.WARNING, "shadow %s: %s", self.name, error)
                self._failures += 1
                if way is None or self._known is None:
                    read_at = None
            self._wake.wait(min(wait, _SAME_AGAIN_S))
            self._wake.clear()

    def _open(self) -> Way:
        way: Way = NucleusWay(self._bus, self._thing, self.name)
        try:
            self._bus.get_shadow(self._thing, self.name)
        except NotSupported:
            way = CloudWay(self._bus, self._thing, self.name, self._cache)
        self._subscriptions = way.watch(self._changed)
        return way

    def _changed(self, state: ShadowState | None) -> None:
        with self._telling:
            if state is None:
                self._version = -1
                self._sent = None  # what was sent is gone: the same is to be sent again at once
            elif state.version is not None:
                if state.version < self._version:
                    return  # an answer that was overtaken by a newer message
                self._version = state.version
            known_before = self._known
            with self._lock:
                self._known = {} if state is None else state.reported
            self._on_state(state)
            if known_before is None or self._known != known_before:
                self._wake.set()

    def _write(self, way: Way) -> None:
        with self._lock:
            wanted, known = self._wanted, self._known
        if wanted is None or known is None:
            return
        patch = merge_patch(known, wanted)
        if not patch:
            self._sent = None
            return
        now = self._clock()
        if self._sent is not None and self._sent[0] == patch and now - self._sent[1] < _SAME_AGAIN_S:
            return
        self._sent = (patch, now)
        try:
            way.write(patch)
        except BusError:
            self._sent = None
            raise
