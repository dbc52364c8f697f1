"""The cameras' own pictures, which no application has drawn on.

A camera with a small stream for applications is shown by its main one, which is asked for while somebody looks. Until
its first picture is there, and when it cannot be had, the small one is shown.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from vedette.bus import Bus, BusError
from vedette.messages import REPEAT_S, CameraDemand, CameraSource, CameraState, CameraStatus

logger = logging.getLogger(__name__)

PREFIX: Final = "camera/"
"""What the name of a view begins with; no output's does."""
COMPONENT: Final = "vedette.Display"
PATIENCE_S: Final = 3.0
"""How long who records or streams waits for the main stream: a picture whose size changes breaks recordings."""
READY_S: Final = 10.0
_POLL_S: Final = 0.1
_ON_ITS_WAY: Final = frozenset({CameraState.PAUSED, CameraState.CONNECTING, CameraState.NO_KEY_FRAME})


def view_of(camera_id: str) -> str:
    """Return the name of a camera's view."""
    return PREFIX + camera_id


def camera_of(view: str) -> str | None:
    """Return the camera that a view is of; None when it is an output's name."""
    return view.removeprefix(PREFIX) if view.startswith(PREFIX) else None


class CameraViews:
    """Asks for main streams while somebody looks, and tells where a camera's pictures are.

    ``camera`` and ``source`` tell what is known of a camera by its id; ``clock`` is monotonic, s. Used by any thread.
    """

    def __init__(
        self,
        bus: Bus,
        camera: Callable[[str], CameraStatus | None],
        source: Callable[[str], CameraSource | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._camera = camera
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._looking: dict[tuple[str, str], int] = {}
        self._sources: dict[str, CameraSource] = {}
        self._missed_since: dict[str, float] = {}
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="camera-views", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for nothing any more, and wait for the end."""
        self._stop.set()
        self._news.set()
        self._thread.join(2.0)

    def look(self, view: str, purpose: str) -> Callable[[], None]:
        """Say that somebody looks at a view, and what for; what is returned ends it. Of an output it does nothing."""
        camera_id = camera_of(view)
        if camera_id is None:
            return _nothing
        key = (camera_id, purpose)
        with self._lock:
            self._looking[key] = self._looking.get(key, 0) + 1
        self._news.set()
        ended = threading.Event()

        def end() -> None:
            with self._lock:
                if ended.is_set():
                    return
                ended.set()
                self._looking[key] -= 1
            self._news.set()

        return end

    def locate(self, view: str) -> str | None:
        """Return the socket of the best pictures there are now; None while there are none."""
        status = self._camera(camera_of(view) or "")
        if status is None:
            return None
        return _main_socket(status) or status.socket

    def locate_steadily(self, view: str) -> str | None:
        """Return the socket of the main stream; of the small one when the main one has not been there for a while."""
        camera_id = camera_of(view) or ""
        status = self._camera(camera_id)
        main = None if status is None else _main_socket(status)
        with self._lock:
            if main is not None or status is None:
                self._missed_since.pop(camera_id, None)
                return main
            missed_since = self._missed_since.setdefault(camera_id, self._clock())
        return status.socket if self._clock() - missed_since > PATIENCE_S else None

    async def ready(self, view: str) -> None:
        """Wait until the main stream shows pictures, or has failed; for a while at most. Somebody has to look."""
        until = self._clock() + READY_S
        while self._clock() < until:
            status = self._camera(camera_of(view) or "")
            if status is not None:
                on_its_way = status.main is not None and status.main.state in _ON_ITS_WAY and not status.main.detail
                if _main_socket(status) is not None or not on_its_way:
                    return
            await asyncio.sleep(_POLL_S)

    def stream(self, view: str) -> str:
        """Return which stream of the camera a view shows now: main or sub."""
        status = self._camera(camera_of(view) or "")
        return "main" if status is None or _main_socket(status) is not None else "sub"

    def stream_at(self, view: str, ring: str) -> str:
        """Return which stream of the camera comes from a socket: main or sub."""
        status = self._camera(camera_of(view) or "")
        single = status is None or status.main is None or status.stream == "main"
        return "sub" if not single and status is not None and ring == status.socket else "main"

    def run(self) -> None:
        """Repeat the demands while somebody looks, and withdraw each once nobody does."""
        said: set[tuple[str, str]] = set()
        while not self._stop.is_set():
            self._news.clear()
            with self._lock:
                self._looking = {key: count for key, count in self._looking.items() if count > 0}
                wanted = set(self._looking)
            for key in sorted(wanted | said):
                self._demand(*key, wanted=key in wanted)
            said = wanted
            self._news.wait(REPEAT_S if wanted else None)
        for key in sorted(said):
            self._demand(*key, wanted=False)

    def _demand(self, camera_id: str, purpose: str, *, wanted: bool) -> None:
        source = self._source(camera_id) or self._sources.get(camera_id)
        if source is None:
            return
        self._sources[camera_id] = source
        demand = CameraDemand(source=source, instance=COMPONENT, node=purpose, wanted=wanted, main=True)
        try:
            self._bus.publish(CameraDemand.topic(camera_id), demand.encode())
        except BusError as error:
            # Repeated in a second; a lost bus ends the component through its own watch.
            logger.warning("the main stream of camera %s was not asked for: %s", camera_id, error)


def _main_socket(status: CameraStatus) -> str | None:
    """Return the socket of a camera's main stream, when pictures come there."""
    if status.main is None or status.stream == "main":
        return status.socket
    return status.main.socket if status.main.state is CameraState.LIVE else None


def _nothing() -> None:
    """End what has not begun."""
