"""Who wants which camera: leases that end by silence."""

from collections.abc import Callable
from dataclasses import dataclass, field

from vedette.messages import TTL_S, CameraDemand, CameraSource


@dataclass
class _Wanted:
    source: CameraSource
    leases: dict[tuple[str, str], float] = field(default_factory=dict)


class LeaseTable:
    """Leases per (camera, instance, node). ``clock`` is monotonic, s. Not safe for several threads at once."""

    def __init__(self, clock: Callable[[], float], ttl_s: float = TTL_S) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._cameras: dict[str, _Wanted] = {}

    def hear(self, demand: CameraDemand) -> None:
        """Renew, or with ``wanted`` False end, one lease."""
        camera_id = demand.source.camera_id
        lease = (demand.instance, demand.node)
        if demand.wanted:
            wanted = self._cameras.setdefault(camera_id, _Wanted(demand.source))
            wanted.leases[lease] = self._clock() + self._ttl_s
        elif camera_id in self._cameras:
            self._cameras[camera_id].leases.pop(lease, None)

    def wanted(self) -> dict[str, CameraSource]:
        """Drop what has expired and return the cameras that somebody wants."""
        now = self._clock()
        for wanted in self._cameras.values():
            wanted.leases = {lease: expiry for lease, expiry in wanted.leases.items() if expiry > now}
        self._cameras = {camera_id: wanted for camera_id, wanted in self._cameras.items() if wanted.leases}
        return {camera_id: wanted.source for camera_id, wanted in self._cameras.items()}

    def users(self, camera_id: str) -> list[str]:
        """Return the application instances that want a camera, sorted."""
        wanted = self._cameras.get(camera_id)
        return sorted({instance for instance, _ in wanted.leases}) if wanted else []
