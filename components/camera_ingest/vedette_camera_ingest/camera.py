"""One camera: a worker for each of its streams that is wanted now, and its status."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from vedette.log_events import CAMERA, about
from vedette.messages import CameraSource, CameraState, CameraStatus
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.demands import Wanted
from vedette_camera_ingest.main_stream import MainState, MainStream
from vedette_camera_ingest.statuses import StreamStatuses
from vedette_camera_ingest.streams import NO_SUCH_STREAM, Stream, delivered, main_of
from vedette_camera_ingest.supervisor import Supervisor

_log = logging.getLogger(__name__)

_LOGIN_REFUSED: Final = frozenset({CameraState.WRONG_PASSWORD, CameraState.PASSWORD_NEEDED})
_NOT_BROKEN: Final = frozenset({CameraState.LIVE, CameraState.PAUSED, CameraState.CONNECTING, CameraState.ENDED})

Fetch = Callable[[Stream, bool], Credentials]
"""Reads the login of a stream; True: the camera refuses the last one. Raises CaptureError."""
Supervise = Callable[..., Supervisor]
"""Makes a supervisor of a source and the path of its ring's socket, with ``fetch`` and ``publish``."""


class Surroundings(NamedTuple):
    """What every camera of a process uses.

    ``publish`` takes the camera's status, in which nobody wants it yet; it is called from the supervisors' threads.
    """

    sockets: Path
    fetch: Fetch
    supervise: Supervise
    publish: Callable[[StreamStatuses, str], None]
    clock: Callable[[], float]
    linger_s: float


class Camera:
    """Plays what is wanted of ``source``: reconciled several times a second by one thread, until it is over."""

    def __init__(self, source: CameraSource, surroundings: Surroundings) -> None:
        self.source = source
        self._around = surroundings
        self._statuses = StreamStatuses(source)
        self._lock = threading.Lock()
        self._main = MainStream(surroundings.linger_s)
        self._delivered_runs = _Runs()
        self._main_runs = _Runs()
        self._substituting = False

    @property
    def over(self) -> bool:
        """Whether nothing of it runs, nor is to."""
        return self._delivered_runs.over and self._main_runs.over and self._main.state is MainState.CLOSED

    def reconcile(self, wanted: Wanted | None) -> None:
        """Make workers run for exactly the streams that are wanted; None: nobody wants anything of it."""
        self._keep(self._delivered_runs, wanted is not None and wanted.delivered, self._begin_delivered)
        if self.source.sub is None:
            return
        main_wanted = wanted is not None and wanted.main and not self._substituting
        refused = self._statuses.delivered_state in _LOGIN_REFUSED
        with self._lock:
            # The login is the same, and cameras lock accounts after a handful of wrong ones.
            self._main.tick(self._around.clock(), wanted=main_wanted and not refused)
            runs, left_s = self._main.runs, self._main.left_s(self._around.clock())
        self._keep(self._main_runs, runs, self._begin_main)
        if not runs and self._main_runs.over:
            self._statuses.main_is_closed(_why_closed(wanted=main_wanted, refused=refused, left_s=left_s))

    def stop(self) -> list[Supervisor]:
        """Ask every worker to end; return who has to be waited for."""
        waited_for = []
        for runs in (self._delivered_runs, self._main_runs):
            runs.end()
            waited_for += runs.ending
        return waited_for

    def _keep(self, runs: "_Runs", wanted: bool, begin: Callable[[], Supervisor]) -> None:
        runs.reap()
        if not wanted:
            runs.end()
        # One that is wanted again waits until its worker of before is gone: the socket has the same path.
        elif runs.supervisor is None and not runs.ending:
            runs.supervisor = begin()
            runs.supervisor.start()

    def _begin_delivered(self) -> Supervisor:
        self._substituting = False
        self._statuses.substitute = ""
        stream = delivered(self.source)
        return self._around.supervise(
            stream.source,
            self._around.sockets / f"{self.source.camera_id}.sock",
            fetch=lambda _source: self._fetch_delivered(stream),
            publish=self._hear_delivered,
        )

    def _begin_main(self) -> Supervisor:
        stream = main_of(self.source)
        self._say("its main stream is opened")
        return self._around.supervise(
            stream.source,
            self._around.sockets / f"{self.source.camera_id}.main.sock",
            fetch=lambda _source: self._around.fetch(stream, self._statuses.main_state in _LOGIN_REFUSED),
            publish=self._hear_main,
        )

    def _fetch_delivered(self, stream: Stream) -> Credentials:
        """Return how the stream that applications get is opened: another one than it should be, where that is missing.

        The small stream is tried again whenever the connection is made anew.
        """
        state = self._statuses.delivered_state
        substituted = self._substituting
        self._substituting = (
            self.source.sub is not None
            and self.source.sub_missing == "main"
            and state in NO_SUCH_STREAM
            and not substituted
        )
        if self._substituting:
            self._statuses.substitute = (
                f"The camera has no small stream ({self._statuses.delivered_detail}): applications get the main one"
            )
            _log.warning("camera %s: %s", self.source.name, self._statuses.substitute, extra=self._about)
            stream = main_of(self.source)
        else:
            self._statuses.substitute = ""
        return self._around.fetch(stream, state in _LOGIN_REFUSED)

    def _hear_delivered(self, status: CameraStatus) -> None:
        before = self._statuses.delivered_state
        self._statuses.hear_delivered(status)
        if status.state is not before:
            self._told(status)
            with self._lock:
                now = self._around.clock()
                if status.state is CameraState.BUSY:
                    self._main.small_stream_refused(now)
                elif before is CameraState.LIVE and status.state not in _NOT_BROKEN:
                    self._main.small_stream_lost(now)
        self._around.publish(self._statuses, self.source.camera_id)

    def _hear_main(self, status: CameraStatus) -> None:
        before = self._statuses.main_state
        if status.state is CameraState.PAUSED:
            self._statuses.main_is_closed()
        else:
            self._statuses.hear_main(status)
        if status.state is not before:
            self._told(status)
            if status.state is CameraState.LIVE:
                with self._lock:
                    self._main.live(self._around.clock())
        self._around.publish(self._statuses, self.source.camera_id)

    def _told(self, status: CameraStatus) -> None:
        said = f"{status.state.value}{': ' if status.detail else ''}{status.detail}"
        _log.info("camera %s is %s", status.name, said, extra=self._about)

    def _say(self, words: str) -> None:
        _log.info("camera %s: %s", self.source.camera_id, words, extra=self._about)

    @property
    def _about(self) -> dict[str, str]:
        return about(CAMERA, self.source.camera_id)


class _Runs:
    """The worker of one stream, and those of before that have not ended yet."""

    def __init__(self) -> None:
        self.supervisor: Supervisor | None = None
        self.ending: list[Supervisor] = []

    @property
    def over(self) -> bool:
        return self.supervisor is None and not self.ending

    def reap(self) -> None:
        self.ending = [supervisor for supervisor in self.ending if not supervisor.join(0.0)]

    def end(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
            self.ending.append(self.supervisor)
            self.supervisor = None


def _why_closed(*, wanted: bool, refused: bool, left_s: float) -> str:
    if left_s:
        return (
            f"Closed for {left_s:.0f} s: when it was opened, applications lost the small stream;"
            " the camera allows one session only"
        )
    if wanted and refused:
        return "Not opened while the camera refuses the login"
    return ""
