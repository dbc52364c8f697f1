"""Errors of AWS calls::

AwsError
├── NoCredentials     the device has none at present (token exchange service, network)
├── Unreachable       AWS surely did not do it: no connection, throttled, a server's error; try again later
├── OutcomeUnknown    sent, but no answer came: AWS may have done it
├── Denied            the device's role may not do it
└── Rejected          AWS refuses this very request; trying again does not help
"""


class AwsError(Exception):
    """Anything that goes wrong; its text is one sentence without credentials."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        """AWS's own, where there is one."""


class NoCredentials(AwsError):
    """The device has no credentials at present."""


class Unreachable(AwsError):
    """AWS surely did not carry it out."""


class OutcomeUnknown(AwsError):
    """The request was sent whole and no answer came."""


class Denied(AwsError):
    """The device's role does not allow it."""


class Rejected(AwsError):
    """AWS refuses the request."""
