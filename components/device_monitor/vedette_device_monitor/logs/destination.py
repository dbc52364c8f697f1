"""CloudWatch Logs: groups and streams that are made when they are first written to."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from vedette.aws_calls import Denied, Rejected, Unreachable
from vedette_device_monitor.logs.packing import LogEvent

logger = logging.getLogger(__name__)

_TARGET: Final = "Logs_20140328"
_THERE: Final = "ResourceAlreadyExistsException"
_NOT_THERE: Final = "ResourceNotFoundException"
_BUSY: Final = "OperationAbortedException"
RETENTION_DAYS: Final = frozenset(
    {0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
"""What PutRetentionPolicy takes; 0: for ever."""


class Stream(NamedTuple):
    """A stream of a group."""

    group: str
    name: str


class Caller(Protocol):
    """What of AwsCaller is used here."""

    def call_json(self, action: str, target: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation."""

    def now(self) -> float:
        """Return the Unix time as AWS has it."""


class Destination:
    """Writes to streams of one region."""

    def __init__(self, caller: Caller, *, retention_days: int = 0, kms_key: str = "") -> None:
        """``retention_days``, ``kms_key``: of groups that are made here; others stay as they are."""
        self._caller = caller
        self._retention_days = retention_days
        self._kms_key = kms_key

    def put(self, stream: Stream, events: Sequence[LogEvent]) -> int:
        """Write events in the order of their times; return how many the service has refused for their times.

        :raises AwsError: when it did not take them
        """
        content = {
            "logGroupName": stream.group,
            "logStreamName": stream.name,
            "logEvents": [{"timestamp": event.time_ms, "message": event.text} for event in events],
        }
        try:
            answer = self._call("PutLogEvents", content)
        except Rejected as error:
            if error.code != _NOT_THERE:
                raise
            self._make(stream)
            answer = self._call("PutLogEvents", content)
        return _refused(answer.get("rejectedLogEventsInfo"), len(events))

    def _make(self, stream: Stream) -> None:
        group = {"logGroupName": stream.group}
        new, denied = False, None
        try:
            self._call("CreateLogGroup", {**group, **({"kmsKeyId": self._kms_key} if self._kms_key else {})})
            new = True
        except Denied as error:
            denied = error  # it may have been made by somebody who may
        except Rejected as error:
            if error.code == _BUSY:
                raise Unreachable(str(error), error.code) from error
            if error.code != _THERE:
                raise
        if new and self._retention_days:
            try:
                self._call("PutRetentionPolicy", {**group, "retentionInDays": self._retention_days})
            except (Denied, Rejected) as error:
                logger.warning("log group %s keeps its lines for ever: %s", stream.group, error)
        try:
            self._call("CreateLogStream", {**group, "logStreamName": stream.name})
        except Rejected as error:
            if error.code == _NOT_THERE and denied is not None:
                raise denied from error
            if error.code != _THERE:
                raise

    def _call(self, operation: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return self._caller.call_json(f"logs:{operation}", f"{_TARGET}.{operation}", content)


def _refused(info: object, count: int) -> int:
    if not isinstance(info, Mapping):
        return 0
    refused = 0
    for key in ("tooOldLogEventEndIndex", "expiredLogEventEndIndex"):
        # The index of the first event that was taken.
        refused = max(refused, min(count, int(info.get(key) or 0)))
    if info.get("tooNewLogEventStartIndex") is not None:
        refused += max(0, count - int(info["tooNewLogEventStartIndex"]))
    return refused
