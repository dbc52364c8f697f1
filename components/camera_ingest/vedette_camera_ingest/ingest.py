"""The main process: hears who wants which camera, runs a worker for each, publishes their statuses."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from vedette.bus import Bus, BusError
from vedette.log_events import CAMERA, about
from vedette.messages import CameraDemand, CameraSource, CameraState, CameraStatus
from vedette.secrets import SecretReader
from vedette_camera_ingest.credentials import fetch
from vedette_camera_ingest.demands import LeaseTable
from vedette_camera_ingest.supervisor import Launcher, Supervisor

_log = logging.getLogger(__name__)

_LOGIN_REFUSED: Final = frozenset({CameraState.WRONG_PASSWORD, CameraState.PASSWORD_NEEDED})
_TICK_S: Final = 0.25
_STOP_S: Final = 2.0


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
        launcher: Launcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._secrets = SecretReader(bus, work / "secrets")
        self._sockets = work / "sockets"
        self._stop = stop
        self._hardware = hardware
        self._launcher = launcher
        self._leases = LeaseTable(clock)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._running: dict[str, Supervisor] = {}
        self._ending: dict[str, Supervisor] = {}
        self._states: dict[str, CameraState] = {}
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
        """Make workers run for exactly the cameras that are wanted."""
        with self._lock:
            wanted = self._leases.wanted()
        for camera_id in [camera_id for camera_id in self._running if camera_id not in wanted]:
            _log.info("camera %s: nobody wants it any more", camera_id, extra=about(CAMERA, camera_id))
            supervisor = self._running.pop(camera_id)
            supervisor.stop()
            self._ending[camera_id] = supervisor
        for camera_id in [camera_id for camera_id, ending in self._ending.items() if ending.join(0.0)]:
            del self._ending[camera_id]
        for camera_id, source in wanted.items():
            # One that is wanted again waits until its worker of before is gone: the socket has the same path.
            if camera_id not in self._running and camera_id not in self._ending:
                self._begin(camera_id, source)

    def _begin(self, camera_id: str, source: CameraSource) -> None:
        users = ", ".join(self._users(camera_id))
        _log.info("camera %s: wanted by %s", camera_id, users, extra=about(CAMERA, camera_id))
        path = self._sockets / f"{camera_id}.sock"
        options = {} if self._launcher is None else {"launcher": self._launcher}
        supervisor = Supervisor(
            source,
            path,
            fetch=lambda wanted: fetch(self._secrets, wanted, refused=self._states.get(camera_id) in _LOGIN_REFUSED),
            publish=self._publish,
            hardware=self._hardware,
            **options,
        )
        self._running[camera_id] = supervisor
        supervisor.start()

    def _users(self, camera_id: str) -> list[str]:
        with self._lock:
            return self._leases.users(camera_id)

    def _publish(self, status: CameraStatus) -> None:
        if self._states.get(status.camera_id) is not status.state:
            self._states[status.camera_id] = status.state
            said = f"{status.state.value}{': ' if status.detail else ''}{status.detail}"
            _log.info("camera %s is %s", status.name, said, extra=about(CAMERA, status.camera_id))
        status = status.model_copy(update={"users": self._users(status.camera_id)})
        try:
            self._bus.publish(CameraStatus.topic(status.camera_id), status.encode())
        except (BusError, ValueError) as error:
            # Soft state: the next one follows in a second. A lost bus ends the component elsewhere.
            _log.warning("camera %s: the status could not be published: %s", status.name, error)

    def _end_all(self) -> None:
        everyone = [*self._running.values(), *self._ending.values()]
        for supervisor in everyone:
            supervisor.stop()
        deadline = time.monotonic() + _STOP_S
        for supervisor in everyone:
            if not supervisor.join(max(0.0, deadline - time.monotonic())):
                _log.error("a camera's worker did not end in time; the kernel ends it with this process")

    def _clear_sockets(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)
