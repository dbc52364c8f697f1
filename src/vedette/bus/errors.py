"""Errors of the bus::

BusError
├── BusLost          the connection to the nucleus is gone, or could not be made; the component exits with code 3
├── BusTimeout       the nucleus did not answer in time
├── Unauthorized     no policy of this component allows it (its recipe's accessControl), or its token is not valid
├── NotFound         no such configuration key, secret or shadow
└── Refused          the nucleus answered with another error
    └── NotSupported     this nucleus does not have the operation (nucleus lite: secrets and shadows)
"""

__all__ = ["BusError", "BusLost", "BusTimeout", "NotFound", "NotSupported", "Refused", "Unauthorized"]


class BusError(Exception):
    """Anything that goes wrong on the bus; its text is one sentence for the log."""


class BusLost(BusError):
    """There is no connection to the nucleus (any more). A component does not reconnect: it exits with code 3."""


class BusTimeout(BusError):
    """The nucleus did not answer in time; whether it did what was asked is not known."""


class Unauthorized(BusError):
    """The nucleus does not allow it."""


class NotFound(BusError):
    """What was asked for does not exist."""


class Refused(BusError):
    """The nucleus refused the request for another reason."""


class NotSupported(Refused):
    """The nucleus that runs this component does not serve the operation."""
