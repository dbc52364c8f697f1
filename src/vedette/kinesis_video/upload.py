"""One stream's upload: takes pictures from any thread, sends them on its own."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from vedette.kinesis_video.backlog import Backlog
from vedette.kinesis_video.errors import (
    FragmentRefused,
    KinesisVideoError,
    Refused,
    StaleEndpoint,
    StreamMissing,
    Temporary,
)
from vedette.kinesis_video.faults import Subject
from vedette.kinesis_video.fragment import CodedPicture, Fragment, FragmentMaker
from vedette.kinesis_video.report import UploadReport, UploadState
from vedette.kinesis_video.service import Caller, Service
from vedette.kinesis_video.session import Session, StreamCaller

logger = logging.getLogger(__name__)

LASTS_S: Final = 40 * 60.0
"""A request is ended by us before AWS ends it (error 4003), as AWS's own producer does."""
EXPIRY_S: Final = 120.0
"""How long before its credentials expire a request is ended: AWS ends it with them, in the middle of a fragment."""
IDLE_S: Final = 20.0
"""Without pictures for so long the request is ended; AWS does after 30 s."""
POLL_S: Final = 0.25
DRAIN_S: Final = 5.0
STOP_S: Final = 1.2
"""What the last fragments have when the component stops: it has 3 s in all."""
LOST_EVERY_S: Final = 60.0


class Waits(NamedTuple):
    """Seconds to the next try: the first, doubled up to the most."""

    state: UploadState
    first_s: float
    most_s: float


AFTER: Final[Mapping[type[KinesisVideoError], Waits]] = {
    StaleEndpoint: Waits(UploadState.CONNECTING, 0.2, 10.0),
    FragmentRefused: Waits(UploadState.CONNECTING, 0.2, 10.0),
    Temporary: Waits(UploadState.WAITING, 1.0, 60.0),
    StreamMissing: Waits(UploadState.REFUSED, 15.0, 120.0),
    Refused: Waits(UploadState.REFUSED, 15.0, 120.0),
}
"""What follows on what went wrong. Operators mend within minutes: what they mended is found within two."""


class CallerOfBoth(Caller, StreamCaller, Protocol):
    """Calls of both planes; :class:`vedette.aws_calls.AwsCaller`."""


class Connection(NamedTuple):
    """What an upload needs of AWS."""

    caller: CallerOfBoth
    expires_at: Callable[[], float | None]
    """Unix time at which the credentials expire, s; None: not known."""


class VideoUpload:
    """Sends one stream. ``name``: what people call its source.

    ``connect()`` is called with the first fragment.
    """

    def __init__(
        self,
        name: str,
        subject: Subject,
        connect: Callable[[], Connection],
        *,
        megabytes: int = 16,
        create: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.subject = subject
        self._connect = connect
        self._create = create
        self._clock = clock
        self._wall = wall
        self._backlog = Backlog(megabytes * 1_000_000)
        self._maker = FragmentMaker(self._backlog.put, name)
        self._making = threading.Lock()
        self._stop = threading.Event()
        self._stop_at: float | None = None
        self._thread = threading.Thread(target=self.run, name=f"kinesis-{name}"[:40], daemon=True)
        self._connection: Connection | None = None
        self._endpoint: tuple[str, bool] | None = None
        self._state = UploadState.IDLE
        self._error = ""
        self._since = self._began_at = wall()
        self._success_at: float | None = None
        self._sent = self._acknowledged = self._acknowledged_bytes = self._errors = 0
        self._failures = 0
        self._told_at = -LOST_EVERY_S

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, picture: CodedPicture) -> None:
        """Take in a picture; never waits for AWS."""
        with self._making:
            if not self._stop.is_set():
                self._maker.add(picture)

    def end(self) -> None:
        """Take no more pictures, send what is there for STOP_S, and end; does not wait for it."""
        with self._making:
            self._maker.flush()
            self._stop_at = self._clock() + STOP_S
            self._stop.set()
        self._backlog.wake()

    @property
    def alive(self) -> bool:
        """Whether it still sends."""
        return self._thread.is_alive()

    def join(self, timeout_s: float = STOP_S + 0.5) -> None:
        """Wait until it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def report(self) -> UploadReport:
        """Return how it does."""
        return UploadReport(
            self.subject.stream,
            self.subject.region,
            self._state,
            self._since,
            self._success_at,
            self._error,
            self._sent,
            self._acknowledged,
            self._acknowledged_bytes,
            self._errors,
            self._began_at,
            self._backlog.dropped,
            self._backlog.waiting_bytes,
        )

    def run(self) -> None:
        """Send until stopped, or for a moment longer."""
        while not self._over():
            try:
                self.run_once()
            except KinesisVideoError as error:
                self._failed(error)
            except Exception as error:
                # The edge of the thread: an upload that ended in silence would look like one that has nothing to send.
                logger.exception("the upload of %s failed", self.name)
                self._failed(Temporary(f"the upload failed ({type(error).__name__}); see the log"))
            else:
                self._failures = 0

    def _failed(self, error: KinesisVideoError) -> None:
        self._errors += 1
        self._backlog.again()
        self._tell_lost()
        if not self._stop.is_set():
            self._wait_after(error)

    def run_once(self) -> None:
        """Make one connection and send over it until it has lasted its time, or there are no pictures.

        :raises KinesisVideoError: what went wrong; what was not acknowledged has to be sent ``again``
        """
        first = self._backlog.take(IDLE_S, lambda: not self._stop.is_set())
        if first is None:
            self._enter(UploadState.IDLE if not self._error else self._state)
            if self._stop.is_set():
                self._stop_at = 0.0
            return
        self._enter(UploadState.CONNECTING if not self._error else self._state)
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        endpoint, keeps = self._prepare(connection.caller)
        session = Session(
            connection.caller, endpoint, self.subject, self._backlog, first,
            keeps=keeps, stopped=self._over, clock=self._clock,
        )  # fmt: skip
        try:
            self._converse(session, first, connection.expires_at())
        except FragmentRefused as error:
            left_out = self._backlog.leave_out(error.timecode_ms)
            logger.error(  # noqa: TRY400 - AWS's word, no traceback
                "%s: a fragment%s is left out: %s", self.name, "" if left_out else " sent before", error
            )
            raise
        except KinesisVideoError:
            # Asked anew: the stream may have been deleted, changed or moved.
            self._endpoint = None
            raise
        finally:
            session.close()
        self._backlog.again()

    def _converse(self, session: Session, first: Fragment, expires_at: float | None) -> None:
        fragment: Fragment | None = first
        with_pictures_at = self._clock()
        while True:
            if fragment is not None:
                if fragment is not first and (fragment.track != session.track or fragment.restart):
                    break  # it is in the backlog, for the next request
                session.send(fragment)
                self._sent += 1
                with_pictures_at = self._clock()
            session.hear(0.0)
            self._note(session)
            idle = self._clock() - with_pictures_at > IDLE_S
            if (self._stop.is_set() and not self._backlog.unsent) or idle or self._ends(session, expires_at):
                break
            fragment = self._backlog.take(POLL_S, lambda: not self._stop.is_set())
        left_s = DRAIN_S if self._stop_at is None else max(0.0, self._stop_at - self._clock())
        try:
            session.finish(min(DRAIN_S, left_s))
        finally:
            self._note(session)

    def _ends(self, session: Session, expires_at: float | None) -> bool:
        if self._clock() - session.opened_at > LASTS_S:
            return True
        # Credentials that cannot be renewed are used to their end: not a request for each fragment.
        early = self._clock() - session.opened_at < EXPIRY_S / 4
        return expires_at is not None and self._wall() > expires_at - EXPIRY_S and not early

    def _prepare(self, caller: CallerOfBoth) -> tuple[str, bool]:
        """Return where to send, and whether it is kept there; the stream is made where it has to be and may be."""
        if self._endpoint is not None:
            return self._endpoint
        service = Service(caller, self.subject, self._clock)
        try:
            keeps = service.keeps()
        except StreamMissing:
            if not self._create:
                raise
            service.create()
            logger.info("stream %s is made in %s", self.subject.stream, self.subject.region)
            keeps = service.keeps()
        self._endpoint = service.endpoint(), keeps
        return self._endpoint

    def _note(self, session: Session) -> None:
        if not session.acknowledged:
            return
        self._acknowledged += session.acknowledged
        self._acknowledged_bytes += session.acknowledged_bytes
        session.acknowledged = session.acknowledged_bytes = 0
        self._success_at = self._wall()
        self._failures = 0
        if self._error:
            logger.info("%s reaches stream %s again", self.name, self.subject.stream)
            self._error, self._since = "", self._wall()
        self._enter(UploadState.SENDING)
        self._tell_lost()

    def _wait_after(self, error: KinesisVideoError) -> None:
        mended_here = isinstance(error, StreamMissing) and self._create
        waits = AFTER[Temporary if mended_here else type(error)]
        wait_s = min(waits.most_s, waits.first_s * 2.0**self._failures) * random.uniform(0.8, 1.0)  # noqa: S311 - a wait
        self._failures = min(self._failures + 1, 10)
        if waits.state is not UploadState.CONNECTING or self._failures > 3:
            if str(error) != self._error:
                logger.warning("%s is not uploaded: %s; next try in %.0f s", self.name, error, wait_s)
            if not self._error:
                self._since = self._wall()
            self._error = str(error)
            self._enter(UploadState.WAITING if waits.state is UploadState.CONNECTING else waits.state)
        else:
            logger.info("%s: %s; connecting anew", self.name, error)
        self._stop.wait(wait_s)

    def _tell_lost(self) -> None:
        if self._clock() - self._told_at < LOST_EVERY_S and self._error:
            return
        lost = self._backlog.lost()
        if lost.fragments:
            self._told_at = self._clock()
            logger.warning(
                "%.0f s of %s (%d fragments) are lost: stream %s takes them too slowly, or could not be reached",
                lost.seconds, self.name, lost.fragments, self.subject.stream,
            )  # fmt: skip

    def _enter(self, state: UploadState) -> None:
        self._state = state

    def _over(self) -> bool:
        return self._stop_at is not None and self._clock() > self._stop_at
