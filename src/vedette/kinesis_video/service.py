"""The calls that come before video: is the stream there, where is it served."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from vedette.aws_calls import AwsError, NoCredentials
from vedette.kinesis_video.errors import KinesisVideoError, Refused, Temporary
from vedette.kinesis_video.faults import Subject, of_answer


class Caller(Protocol):
    """Signed calls of Kinesis Video Streams; :class:`vedette.aws_calls.AwsCaller`."""

    def call(self, action: str, body: bytes, headers: Mapping[str, str], *, method: str = ..., path: str = ...) -> Any:
        """Make one call."""


class Service:
    """The control plane for one stream."""

    def __init__(self, caller: Caller, subject: Subject, clock: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._subject = subject
        self._clock = clock

    def keeps(self) -> bool:
        """Return whether the stream keeps what it gets: only then AWS acknowledges it as stored.

        :raises KinesisVideoError: when it is not there, not ready or not to be had
        """
        answer = self._call("DescribeStream", "/describeStream", {"StreamName": self._subject.stream})
        stream = answer.get("StreamInfo", {})
        status = stream.get("Status", "ACTIVE")
        if status not in ("ACTIVE", "UPDATING"):
            raise Temporary(f"stream {self._subject.stream} is not ready: {status}")
        return bool(stream.get("DataRetentionInHours"))

    def endpoint(self) -> str:
        """Return the URL that the stream's video goes to.

        :raises KinesisVideoError: when it cannot be had
        """
        asked = {"StreamName": self._subject.stream, "APIName": "PUT_MEDIA"}
        endpoint = self._call("GetDataEndpoint", "/getDataEndpoint", asked).get("DataEndpoint")
        if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
            raise Temporary(f"AWS does not say where stream {self._subject.stream} is served")
        return endpoint.rstrip("/")

    def create(self) -> None:
        """Make the stream.

        :raises KinesisVideoError: when it cannot be made
        """
        asked = {
            "StreamName": self._subject.stream,
            "MediaType": "video/h264",
            "DataRetentionInHours": self._subject.hours,
        }
        self._call("CreateStream", "/createStream", asked)

    def _call(self, operation: str, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(content).encode()
        try:
            answer = self._caller.call(
                f"kinesisvideo:{operation}", body, {"Content-Type": "application/json"}, path=path
            )
        except AwsError as error:
            raise translated(error, self._subject) from error
        try:
            document = json.loads(answer.body or b"{}")
        except ValueError:
            raise Temporary(f"kinesisvideo:{operation}: the answer cannot be read") from None
        return document if isinstance(document, dict) else {}


def translated(error: AwsError, subject: Subject) -> KinesisVideoError:
    """Return an AWS call's error as one of this package, with what helps."""
    from vedette.aws_calls import Denied, Rejected

    known = of_answer(error.code, str(error), subject)
    if known is not None:
        return known
    if isinstance(error, Denied):
        return of_answer("AccessDeniedException", str(error), subject) or Refused(str(error))
    if isinstance(error, Rejected):
        return Refused(f"AWS refuses stream {subject.stream}: {error}")
    if isinstance(error, NoCredentials):
        return Temporary(str(error))
    return Temporary(str(error))
