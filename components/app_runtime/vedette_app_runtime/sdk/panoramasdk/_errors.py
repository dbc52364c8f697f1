"""Errors that applications see."""


class TimeoutException(TimeoutError):
    """``get(timeout)`` or ``call(..., time_out)`` took longer than asked for.

    The appliance's change log calls it TimeoutException, the SDK reference catches TimeoutError: both work.
    """


class HostGone(RuntimeError):
    """The application's host has ended; the application is about to be ended, too."""
