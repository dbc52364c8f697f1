"""What the shadow of the instance sets: heard, taken apart, and what is in effect told back."""

import logging
from collections.abc import Callable
from pathlib import Path

from vedette.application import MAX_SHADOW_BYTES, ApplicationConfiguration, ApplicationManifest, shadow_name
from vedette.application.desired import Desired, read_desired, reported, state_bytes
from vedette.application.log_streams import SHADOW_LOG
from vedette.bus import Bus
from vedette.log_events import STREAM, about
from vedette.shadows import ShadowKeeper, ShadowState
from vedette_app_runtime.wiring import Wiring

logger = logging.getLogger(__name__)

_MOST_REPORTED_BYTES = 5_500
"""Of the 8,192 for all: so much goes through nucleus lite in one message."""
_FRAME_BYTES = 64
"""For the keys around both parts of the state."""


class Settings:
    """The shadow of one instance. Everything but the constructor's ``hear`` is called by the host's one thread."""

    def __init__(
        self,
        bus: Bus,
        thing: str | None,
        instance: str,
        manifest: ApplicationManifest,
        cache: Path,
        hear: "Callable[[Callable[[], None]], None]",
        changed: Callable[[], None],
    ) -> None:
        """Prepare; :meth:`start` begins.

        :param thing: the device's thing; None: no shadow, as in a test without a nucleus
        :param hear: has a call made by the host's thread
        :param changed: called by that thread when ``state.desired`` has changed
        """
        self._manifest = manifest
        self._changed = changed
        self._document: object = None
        self._seen = False
        self._first = True
        self._done: str | int | float | None = None
        self._keeper: ShadowKeeper | None = None
        if thing:
            self._keeper = ShadowKeeper(
                bus,
                thing,
                shadow_name(instance),
                on_state=lambda state: hear(lambda: self._take(state)),
                cache=cache,
            )
        self.desired = Desired()

    def start(self) -> None:
        """Begin to hear."""
        if self._keeper is not None:
            self._keeper.start()

    def close(self) -> None:
        """End it."""
        if self._keeper is not None:
            self._keeper.close()

    def read(self, configuration: ApplicationConfiguration) -> Desired:
        """Return what of ``state.desired`` can be used with this configuration."""
        cameras = [(node, each.name) for node, attached in configuration.cameras.items() for each in attached]
        before = self.desired.rejected
        self.desired = read_desired(self._document, self._manifest, cameras)
        for entry, reason in self.desired.rejected.items():
            if before.get(entry) != reason:
                logger.warning("shadow: %s is not used: %s", entry, reason, extra=about(STREAM, SHADOW_LOG))
        return self.desired

    def restart_wanted(self) -> bool:
        """Tell, once for each value, that a restart is asked for; what stands there at the start counts as done."""
        token = self.desired.restart
        first, self._first = self._first, False
        if token is None or token == self._done:
            return False
        self._done = token
        return not first

    def report(self, wiring: Wiring, log_level: str) -> None:
        """Tell what is in effect."""
        if self._keeper is None or not self._seen:
            return
        cameras: dict[str, bool] = {}
        for camera in wiring.cameras:
            cameras[camera.node] = cameras.get(camera.node, True) and camera.paused
            if camera.source.name in self.desired.paused:
                cameras[camera.source.name] = camera.paused
        room = MAX_SHADOW_BYTES - state_bytes(self._document or {}) - _FRAME_BYTES
        self._keeper.report(
            reported(
                parameters={each.node: (each.value, each.origin) for each in wiring.parameters if each.node},
                cameras=cameras,
                log_level=log_level,
                desired=self.desired,
                restart=self._done,
                room=max(0, min(room, _MOST_REPORTED_BYTES)),
            )
        )

    def _take(self, state: ShadowState | None) -> None:
        document = None if state is None else state.desired
        if not self._seen or document != self._document:
            self._seen = True
            self._document = document
            self._changed()
