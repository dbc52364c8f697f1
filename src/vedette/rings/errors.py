"""Errors of the data plane.

RingError
  RingClosed    the other side is gone (its process ended, or it was closed)
"""


class RingError(Exception):
    """A ring could not be made, reached or understood."""


class RingClosed(RingError):
    """The other side of the connection is gone."""
