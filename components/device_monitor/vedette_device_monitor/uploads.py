"""What the monitor tells of its own uploads: when the last one was, and why something waits."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from vedette.messages import TTL_S, MonitorStatus, NetworkStatus, UploadStatus
from vedette.metrics import NAMESPACE
from vedette_device_monitor.logs.uploader import Uploader
from vedette_device_monitor.sender import Sender
from vedette_device_monitor.spool import Spool

_REPEAT_S: Final = TTL_S / 2
_MOST_TEXT: Final = 400


class Uploads:
    """Remembers since when each upload works or waits, and when it was told last."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._since: dict[str, tuple[bool, float]] = {}
        self._told: tuple[list[tuple[str, str]], float] | None = None

    def metrics(self, sender: Sender, spool: Spool, lock: threading.Lock, region: str) -> UploadStatus:
        """Return the state of the metrics' upload."""
        with lock:
            waiting, lost = spool.size, spool.dropped + spool.uncertain
        return self._status(
            "metrics", f"{NAMESPACE} in {region}", sender.last_success_at, sender.last_error, waiting, lost
        )

    def logs(self, uploader: Uploader) -> UploadStatus:
        """Return the state of the logs' upload."""
        return self._status(
            "logs", uploader.where, uploader.last_success_at, uploader.last_error, uploader.waiting_bytes, uploader.lost
        )

    def due(self, uploads: Sequence[UploadStatus], network: Mapping[str, Any] | None = None) -> bytes | None:
        """Return the message where it is time to tell it, at once when something has begun or ended to wait.

        :param network: the device's network as the health document has it
        """
        key = [(upload.what, upload.last_error) for upload in uploads]
        now = self._clock()
        if not (uploads or network):
            return None
        if self._told is not None and self._told[0] == key and now - self._told[1] < _REPEAT_S:
            return None
        self._told = (key, now)
        return MonitorStatus(
            uploads=list(uploads), network=NetworkStatus.model_validate(network) if network else None
        ).encode()

    def _status(
        self, what: str, where: str, success: float | None, error: str, waiting: int, lost: int
    ) -> UploadStatus:
        waits = bool(error)
        known = self._since.get(what)
        if known is None or known[0] != waits:
            known = self._since[what] = (waits, self._wall())
        return UploadStatus(
            what=what,
            where=where,
            since=known[1],
            last_success_at=success,
            last_error=error[:_MOST_TEXT],
            waiting=waiting,
            lost=lost,
        )
