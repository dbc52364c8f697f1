"""The main process: hears who wants which camera, runs workers for each, publishes their statuses."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from vedette.bus import Bus, BusError
from vedette.log_events import CAMERA, about
from vedette.messages import CameraDemand, CameraStatus
from vedette.secrets import SecretReader
from vedette_camera_ingest.camera import Camera, Surroundings
from vedette_camera_ingest.credentials import Credentials, fetch
from vedette_camera_ingest.demands import LeaseTable
from vedette_camera_ingest.statuses import StreamStatuses
from vedette_camera_ingest.streams import Stream
from vedette_camera_ingest.supervisor import Launcher, Supervisor

_log = logging.getLogger(__name__)

_TICK_S: Final = 0.25
_STOP_S: Final = 2.0
LINGER_S: Final = 5.0
"""How long a main stream stays open for nobody, unless configured otherwise."""


class CameraIngest:
    """Serves cameras on ``bus`` until ``stop``; ``work`` is the component's work folder, its sockets lie in it.

    ``hardware`` lets workers decode in hardware where the device has it. ``launcher`` starts a worker process with one
    end of a socket pair; None is the real one.
    """

    def __init__(
        self,
        bus: Bus,
        work: Path,
        stop: threading.Event,
        *,
        hardware: bool = True,
        linger_s: float = LINGER_S,
        launcher: Launcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._secrets = SecretReader(bus, work / "secrets")
        self._sockets = work / "sockets"
        self._stop = stop
        self._leases = LeaseTable(clock)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._cameras: dict[str, Camera] = {}
        options: dict[str, Any] = {} if launcher is None else {"launcher": launcher}
        self._surroundings = Surroundings(
            self._sockets,
            self._fetch,
            partial(Supervisor, hardware=hardware, **options),
            self._publish,
            clock,
            linger_s,
        )
        self.bad_demands = 0
        """Messages on the demand topic that were no demand."""

    def run(self) -> None:
        """Serve until stop is set; every worker is gone when this returns."""
        self._clear_sockets()
        self._sockets.mkdir(mode=0o700, parents=True)
        subscription = self._bus.subscribe(CameraDemand.topic("+"), self._hear)
        try:
            while not self._stop.is_set():
                self._reconcile()
                self._wake.wait(_TICK_S)
                self._wake.clear()
        finally:
            with contextlib.suppress(BusError):
                subscription.close()
            self._end_all()
            self._clear_sockets()

    def _hear(self, topic: str, payload: bytes) -> None:
        try:
            demand = CameraDemand.model_validate_json(payload)
        except ValidationError as error:
            self.bad_demands += 1
            _log.warning("a message on %s is no camera demand: %s problems", topic, error.error_count())
            return
        if topic != CameraDemand.topic(demand.source.camera_id):
            self.bad_demands += 1
            _log.warning("a demand for camera %s came on %s", demand.source.camera_id, topic)
            return
        with self._lock:
            self._leases.hear(demand)
        self._wake.set()

    def _reconcile(self) -> None:
        """Make workers run for exactly the streams that are wanted."""
        with self._lock:
            wanted = self._leases.wanted()
        for camera_id in wanted.keys() - self._cameras.keys():
            users = ", ".join(self._users(camera_id)) or "who looks at it"
            _log.info("camera %s: wanted by %s", camera_id, users, extra=about(CAMERA, camera_id))
            self._cameras[camera_id] = Camera(wanted[camera_id].source, self._surroundings)
        for camera_id, camera in list(self._cameras.items()):
            camera.reconcile(wanted.get(camera_id))
            if camera_id not in wanted and camera.over:
                _log.info("camera %s: nobody wants it any more", camera_id, extra=about(CAMERA, camera_id))
                del self._cameras[camera_id]

    def _fetch(self, stream: Stream, refused: bool) -> Credentials:
        return fetch(self._secrets, stream.source, address_key=stream.address_key, refused=refused)

    def _users(self, camera_id: str) -> list[str]:
        with self._lock:
            return self._leases.users(camera_id)

    def _publish(self, statuses: StreamStatuses, camera_id: str) -> None:
        with self._lock:
            users, purposes = self._leases.users(camera_id), self._leases.purposes(camera_id)
        status = statuses.status(users, purposes)
        try:
            self._bus.publish(CameraStatus.topic(camera_id), status.encode())
        except (BusError, ValueError) as error:
            # Soft state: the next one follows in a second. A lost bus ends the component elsewhere.
            _log.warning("camera %s: the status could not be published: %s", status.name, error)

    def _end_all(self) -> None:
        everyone = [supervisor for camera in self._cameras.values() for supervisor in camera.stop()]
        deadline = time.monotonic() + _STOP_S
        for supervisor in everyone:
            if not supervisor.join(max(0.0, deadline - time.monotonic())):
                _log.error("a camera's worker did not end in time; the kernel ends it with this process")

    def _clear_sockets(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)
