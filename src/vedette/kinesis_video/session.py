"""One PutMedia request: fragments out, acknowledgements in. Used by one thread."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from vedette import __version__
from vedette.aws_calls import AwsError, Unreachable
from vedette.kinesis_video.acknowledgement import (
    AckEvent,
    Acknowledgement,
    AcknowledgementError,
    AcknowledgementReader,
)
from vedette.kinesis_video.backlog import Backlog
from vedette.kinesis_video.errors import StaleEndpoint, Temporary
from vedette.kinesis_video.faults import Subject, of_acknowledgement
from vedette.kinesis_video.fragment import Fragment
from vedette.kinesis_video.matroska import Track, cluster, header
from vedette.kinesis_video.service import translated

PATH: Final = "/putMedia"
ACTION: Final = "kinesisvideo:PutMedia"
PACE_S: Final = 0.2
"""AWS takes five fragments a second and stream (PutMedia, limits)."""
SILENCE_S: Final = 60.0
"""A connection on which AWS says nothing of what was sent for so long is dead, as AWS's own producer has it."""
_ANSWER_S: Final = 2.0


class Answer(Protocol):
    """The head of the answer as far as it has come."""

    status: int | None
    headers: Mapping[str, str]
    ended: bool


class Stream(Protocol):
    """A request whose body is sent bit by bit; :class:`vedette.aws_calls.upload_stream.UploadStream`."""

    @property
    def answer(self) -> Answer:
        """What was answered."""

    def write(self, data: bytes) -> bool:
        """Send a piece of the body; False when no more is taken."""

    def finish(self) -> None:
        """End the body."""

    def take(self, timeout_s: float = 0.0) -> bytes:
        """Return what has come of the answer's body."""

    def close(self) -> None:
        """Close the connection."""


class StreamCaller(Protocol):
    """What opens them, signed; :class:`vedette.aws_calls.AwsCaller`."""

    clock_ahead_s: float

    def open_stream(self, url: str, headers: Mapping[str, str], *, stopped: Callable[[], bool]) -> Stream:
        """Begin a request."""

    def check_stream(self, action: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise what an answer says."""


class Session:
    """One request for one track. ``keeps``: whether AWS stores the stream, and says so."""

    def __init__(
        self,
        caller: StreamCaller,
        endpoint: str,
        subject: Subject,
        backlog: Backlog,
        first: Fragment,
        *,
        keeps: bool,
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect, and send what comes before the first fragment.

        :raises KinesisVideoError: when there is no connection
        """
        self._caller = caller
        self._subject = subject
        self._backlog = backlog
        self._keeps = keeps
        self._clock = clock
        self.track: Track = first.track
        self.opened_at = clock()
        self.acknowledged = self.acknowledged_bytes = 0
        self.sent = 0
        self._lengths: dict[int, int] = {}
        self._heard_at = self._sent_at = self.opened_at
        self._acknowledgements = AcknowledgementReader()
        self._checked = False
        # A device whose clock is off sends the time that AWS has: players ask for video by it.
        self._earlier_ms = round(caller.clock_ahead_s * 1000)
        start_s = (first.start_ms - self._earlier_ms) / 1000
        headers = {
            "x-amzn-stream-name": subject.stream,
            "x-amzn-producer-start-timestamp": f"{start_s:.3f}",
            "x-amzn-fragment-acknowledgment-required": "1",
            "x-amzn-fragment-timecode-type": "ABSOLUTE",
        }
        try:
            self._stream = caller.open_stream(endpoint + PATH, headers, stopped=stopped)
            self._stream.write(header(first.track, secrets.token_bytes(16), f"vedette {__version__}"))
        except AwsError as error:
            raise translated(error, subject) from error

    def send(self, fragment: Fragment) -> None:
        """Send a fragment, at AWS's pace.

        :raises KinesisVideoError: when the connection is over, or AWS refuses something
        """
        while (early_s := self._sent_at + PACE_S - self._clock()) > 0 and self.sent:
            self.hear(early_s)
        data = cluster(fragment.samples, earlier_ms=self._earlier_ms)
        try:
            whole = self._stream.write(data)
        except Unreachable as error:
            raise Temporary(str(error)) from error
        self._lengths[fragment.start_ms] = len(data)
        self.sent += 1
        self._sent_at = self._clock()
        self.hear(0.0)
        if not whole:
            raise StaleEndpoint("AWS has ended the connection")

    def hear(self, timeout_s: float) -> None:
        """Take in what AWS says.

        :raises KinesisVideoError: when it says that something is wrong, or nothing at all for too long
        """
        data = self._take(timeout_s)
        answer = self._stream.answer
        if answer.status is not None and not self._checked:
            self._checked = True
            self._check(data)
        try:
            acknowledgements = self._acknowledgements.feed(data)
        except AcknowledgementError as error:
            raise Temporary(str(error)) from error
        for each in acknowledgements:
            self._heard_at = self._clock()
            if each.event is AckEvent.ERROR:
                raise of_acknowledgement(each._replace(timecode_ms=self._ours(each)), self._subject)
            start_ms = self._ours(each)
            final = AckEvent.PERSISTED if self._keeps else AckEvent.RECEIVED
            if each.event is final and start_ms is not None and self._backlog.release(start_ms):
                self.acknowledged += 1
                self.acknowledged_bytes += self._lengths.pop(start_ms, 0)
        if answer.ended:
            raise StaleEndpoint("AWS has ended the connection")
        if self._backlog.unacknowledged and self._clock() - max(self._heard_at, self.opened_at) > SILENCE_S:
            raise Temporary(f"AWS has said nothing of what was sent for {SILENCE_S:.0f} s")

    def finish(self, timeout_s: float) -> None:
        """End the request, and wait for what AWS still says of it. What it says nothing of is sent again.

        :raises KinesisVideoError: when it refuses something
        """
        try:
            self._stream.finish()
            deadline = self._clock() + timeout_s
            while self._backlog.unacknowledged and (left_s := deadline - self._clock()) > 0:
                self.hear(min(left_s, 0.25))
        except (StaleEndpoint, Unreachable):
            return  # said in full, or the connection is gone: either way it is over

    def close(self) -> None:
        """Close the connection at once."""
        self._stream.close()

    def _ours(self, ack: Acknowledgement) -> int | None:
        """Return the time of the fragment as the backlog has it."""
        return None if ack.timecode_ms is None else ack.timecode_ms + self._earlier_ms

    def _take(self, timeout_s: float) -> bytes:
        try:
            return self._stream.take(timeout_s)
        except Unreachable as error:
            raise Temporary(str(error)) from error

    def _check(self, data: bytes) -> None:
        """Read the answer's head; a refusal's body tells why."""
        answer = self._stream.answer
        status = answer.status or 0
        deadline = self._clock() + _ANSWER_S
        while status >= 300 and not answer.ended and self._clock() < deadline:
            data += self._take(0.25)
        try:
            self._caller.check_stream(ACTION, status, answer.headers, data)
        except AwsError as error:
            raise translated(error, self._subject) from error
