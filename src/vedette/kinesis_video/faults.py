"""What AWS refuses, what that means, and what to do: one table for the answers, one for the acknowledgements.

Source: the API reference of PutMedia, GetDataEndpoint and CreateStream (Errors; Response Elements).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from vedette.kinesis_video.acknowledgement import Acknowledgement
from vedette.kinesis_video.errors import (
    FragmentRefused,
    KinesisVideoError,
    Refused,
    StaleEndpoint,
    StreamMissing,
    Temporary,
)


class Remedy(Enum):
    """What becomes of the upload."""

    WAIT = "wait"
    """Again, after growing waits."""
    ANEW = "anew"
    """A new endpoint and a new request, at once."""
    CREATE = "create"
    """The stream is not there: made where the configuration says so."""
    LEAVE_OUT = "leave out"
    """Without the fragment that was refused."""
    OPERATOR = "operator"
    """Somebody has to mend something: again, seldom."""


class Fault(NamedTuple):
    """One row. ``words``: what is wrong and what helps; ``{stream}``, ``{region}`` and ``{hours}`` are filled in."""

    remedy: Remedy
    words: str


_MISSING: Final = (
    "there is no stream {stream} in {region}: aws kinesisvideo create-stream --stream-name {stream}"
    " --media-type video/h264 --data-retention-in-hours {hours} --region {region}, or set `create`, for which the role"
    " needs kinesisvideo:CreateStream"
)
_DENIED: Final = (
    "the device's role may not write to stream {stream}: it needs kinesisvideo:DescribeStream,"
    " kinesisvideo:GetDataEndpoint and kinesisvideo:PutMedia on arn:aws:kinesisvideo:{region}:*:stream/{stream}/*"
    " (KinesisVideoStreamPrefix of the stack device-role)"
)
_KEY: Final = "the stream's KMS key {what}: mend the key, or its policy for the device's role (kms:GenerateDataKey)"


def _key(what: str) -> Fault:
    return Fault(Remedy.OPERATOR, _KEY.replace("{what}", what))


ANSWERS: Final[Mapping[str, Fault]] = {
    "ResourceNotFoundException": Fault(Remedy.CREATE, _MISSING),
    "AccessDeniedException": Fault(Remedy.OPERATOR, _DENIED),
    "NotAuthorizedException": Fault(Remedy.OPERATOR, _DENIED),
    "InvalidArgumentException": Fault(Remedy.OPERATOR, "AWS does not take the request for stream {stream}: {said}"),
    "InvalidEndpointException": Fault(Remedy.ANEW, "stream {stream} is served by another endpoint now"),
    "ClientLimitExceededException": Fault(
        Remedy.WAIT, "too many requests for stream {stream}: does another device send to it?"
    ),
    "StreamLimitExceededException": Fault(
        Remedy.WAIT, "too much is sent to stream {stream}: does another device do so?"
    ),
    "ConnectionLimitExceededException": Fault(
        Remedy.WAIT, "stream {stream} has another sender: a stream takes one at a time, give each output its own"
    ),
    "ResourceInUseException": Fault(Remedy.WAIT, "stream {stream} is being made or changed"),
    "AccountStreamLimitExceededException": Fault(
        Remedy.OPERATOR, "the account has as many streams as it may: delete some, or ask AWS for more (Service Quotas)"
    ),
    "DeviceStreamLimitExceededException": Fault(
        Remedy.OPERATOR, "the account has as many streams as it may: delete some, or ask AWS for more (Service Quotas)"
    ),
}
"""By the name of the exception."""

ACKNOWLEDGED: Final[Mapping[int, Fault]] = {
    4000: Fault(Remedy.WAIT, "AWS could not read what was sent"),
    4001: Fault(Remedy.LEAVE_OUT, "the fragment is over 50 MB: set a lower bit rate or more key frames at the camera"),
    4002: Fault(Remedy.LEAVE_OUT, "the fragment lasts over 10 s: set more key frames at the camera"),
    4003: Fault(Remedy.ANEW, "the connection has lasted its time"),
    4004: Fault(Remedy.LEAVE_OUT, "the fragment is older than the one before"),
    4005: Fault(Remedy.LEAVE_OUT, "AWS found several tracks"),
    4006: Fault(Remedy.LEAVE_OUT, "AWS could not read the Matroska"),
    4007: Fault(Remedy.LEAVE_OUT, "AWS does not take the time of the pictures: is the device's clock set?"),
    4008: Fault(Remedy.CREATE, _MISSING),
    4009: Fault(Remedy.LEAVE_OUT, "the fragment has too many tags"),
    4010: Fault(Remedy.LEAVE_OUT, "AWS found a picture of a track that is not there"),
    4011: Fault(Remedy.LEAVE_OUT, "AWS found no picture of a track"),
    4012: Fault(Remedy.LEAVE_OUT, "AWS found too many tracks"),
    4500: _key("may not be used"),
    4501: _key("is disabled"),
    4502: _key("failed its check"),
    4503: Fault(Remedy.WAIT, "the stream's KMS key cannot be had at present"),
    4504: _key("is not for this use"),
    4505: _key("is in a state in which it cannot be used (pending deletion?)"),
    4506: _key("is not there"),
    4507: Fault(Remedy.CREATE, _MISSING),
    5000: Fault(Remedy.WAIT, "an error within AWS"),
    5001: Fault(Remedy.WAIT, "AWS could not store the fragment"),
}
"""By ``ErrorId``. 4507 is in AWS's producer SDK only: the stream was deleted."""

_UNKNOWN_CLIENT: Final = Fault(Remedy.LEAVE_OUT, "AWS refuses the fragment")
_UNKNOWN_SERVER: Final = Fault(Remedy.WAIT, "an error within AWS")


class Subject(NamedTuple):
    """What messages are about."""

    stream: str
    region: str
    hours: int = 24


def of_answer(code: str, said: str, subject: Subject) -> KinesisVideoError | None:
    """Return the error of a refused call; None for a code that is not in the table."""
    fault = ANSWERS.get(code)
    return None if fault is None else _error(fault, fault.words.format(said=said, **subject._asdict()), None)


def of_acknowledgement(ack: Acknowledgement, subject: Subject) -> KinesisVideoError:
    """Return the error of an acknowledgement that is one."""
    fault = ACKNOWLEDGED.get(ack.error_id, _UNKNOWN_SERVER if ack.error_id >= 5000 else _UNKNOWN_CLIENT)
    named = f" ({ack.error_id}{' ' if ack.error_code else ''}{ack.error_code})"
    return _error(fault, fault.words.format(**subject._asdict()) + named, ack.timecode_ms)


def _error(fault: Fault, words: str, timecode_ms: int | None) -> KinesisVideoError:
    match fault.remedy:
        case Remedy.CREATE:
            return StreamMissing(words)
        case Remedy.OPERATOR:
            return Refused(words)
        case Remedy.ANEW:
            return StaleEndpoint(words)
        case Remedy.LEAVE_OUT:
            return FragmentRefused(words, timecode_ms)
        case Remedy.WAIT:
            return Temporary(words)
