"""Errors of uploads::

KinesisVideoError
├── StreamMissing    there is no stream of that name
├── Refused          AWS refuses for a reason that an operator has to mend; tried again, seldom
├── Temporary        throttled, unreachable, a server's error; tried again, with growing waits
├── StaleEndpoint    another endpoint serves the stream now, or the connection has lasted its time: at once, anew
└── FragmentRefused  one fragment cannot be taken; without it the others can
"""


class KinesisVideoError(Exception):
    """Anything that goes wrong; its text is one or two sentences without credentials, with what helps."""


class StreamMissing(KinesisVideoError):
    """There is no stream of that name."""


class Refused(KinesisVideoError):
    """An operator has to mend something."""


class Temporary(KinesisVideoError):
    """It may work later."""


class StaleEndpoint(KinesisVideoError):
    """The connection has to be made anew."""


class FragmentRefused(KinesisVideoError):
    """One fragment cannot be taken. ``timecode_ms``: which, None where AWS does not say."""

    def __init__(self, message: str, timecode_ms: int | None) -> None:
        super().__init__(message)
        self.timecode_ms = timecode_ms
