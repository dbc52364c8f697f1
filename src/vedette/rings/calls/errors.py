"""Errors of the model call channel.

RingError
  CallFailure
    CallTimeout   (a TimeoutError too) no answer in time; the call may still run, its answer is thrown away
    CallError     the server answered with an error, or the call could not be made: ``code`` and ``message``
    CallLost      the connection to the model server is gone; connect anew
"""

from ..errors import RingError

UNKNOWN_INPUT = "unknown_input"
MISSING_INPUT = "missing_input"
WRONG_SHAPE = "wrong_shape"
WRONG_DTYPE = "wrong_dtype"
TOO_LARGE = "too_large"
EXPIRED = "expired"
RUN_FAILED = "run_failed"
BAD_BUFFER = "bad_buffer"
NO_FRAMES = "no_frames"


class CallFailure(RingError):
    """A model call did not give outputs."""


class CallTimeout(CallFailure, TimeoutError):
    """No answer within the call's time-out."""


class CallError(CallFailure):
    """The call was refused. ``code`` is one of this module's constants, ``message`` says what to change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class CallLost(CallFailure):
    """The connection ended: the model server stopped or was restarted."""
