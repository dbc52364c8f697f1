"""Who wants which camera: leases that end by silence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from vedette.messages import TTL_S, CameraDemand, CameraSource


class Wanted(NamedTuple):
    """A camera that somebody wants: the stream that applications get, the main one beside it, or both."""

    source: CameraSource
    delivered: bool
    main: bool


class _Lease(NamedTuple):
    instance: str
    node: str
    main: bool


@dataclass
class _Camera:
    source: CameraSource
    leases: dict[_Lease, float] = field(default_factory=dict)


class LeaseTable:
    """Leases per (camera, instance, node, stream). ``clock`` is monotonic, s. Not safe for several threads at once."""

    def __init__(self, clock: Callable[[], float], ttl_s: float = TTL_S) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._cameras: dict[str, _Camera] = {}

    def hear(self, demand: CameraDemand) -> None:
        """Renew, or with ``wanted`` False end, one lease."""
        camera_id = demand.source.camera_id
        lease = _Lease(demand.instance, demand.node, demand.main)
        if demand.wanted:
            camera = self._cameras.setdefault(camera_id, _Camera(demand.source))
            camera.leases[lease] = self._clock() + self._ttl_s
        elif camera_id in self._cameras:
            self._cameras[camera_id].leases.pop(lease, None)

    def wanted(self) -> dict[str, Wanted]:
        """Drop what has expired and return the cameras that somebody wants.

        A camera without a small stream has one stream, whoever wants which.
        """
        now = self._clock()
        for camera in self._cameras.values():
            camera.leases = {lease: expiry for lease, expiry in camera.leases.items() if expiry > now}
        self._cameras = {camera_id: camera for camera_id, camera in self._cameras.items() if camera.leases}
        found = {}
        for camera_id, camera in self._cameras.items():
            single = camera.source.sub is None
            found[camera_id] = Wanted(
                camera.source,
                delivered=single or any(not lease.main for lease in camera.leases),
                main=not single and any(lease.main for lease in camera.leases),
            )
        return found

    def users(self, camera_id: str) -> list[str]:
        """Return the application instances that want a camera's pictures, sorted."""
        return sorted({lease.instance for lease in self._leases(camera_id) if not lease.main})

    def purposes(self, camera_id: str) -> list[str]:
        """Return what a camera's main stream is wanted for, sorted."""
        return sorted({lease.node for lease in self._leases(camera_id) if lease.main})

    def _leases(self, camera_id: str) -> list[_Lease]:
        camera = self._cameras.get(camera_id)
        return list(camera.leases) if camera else []
