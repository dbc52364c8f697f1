"""PyAV's exceptions by class, never by text: their text holds the whole URL, password included.

What libav gives in which case was measured against a real server; the probe has already sorted out names, ports, logins
and paths, so these are the causes that appear between the probe and the first picture, or later.
"""

import errno
from typing import Final

from av import error as av_error

from vedette.messages import CameraState
from vedette_camera_ingest.failure import CaptureError

# The first match counts: subclasses before their bases.
_OPENING: Final[tuple[tuple[type[BaseException], CameraState, str], ...]] = (
    (av_error.HTTPUnauthorizedError, CameraState.WRONG_PASSWORD, "{where} answered 401 when the stream was started"),
    (av_error.HTTPForbiddenError, CameraState.WRONG_PASSWORD, "{where} answered 403 when the stream was started"),
    (av_error.HTTPNotFoundError, CameraState.NOT_FOUND, "{where} answered 404 when the stream was started"),
    (
        av_error.HTTPOtherClientError,
        CameraState.BUSY,
        "{where} refused to start the stream over {transport}: too many viewers, or try the other transport",
    ),
    (
        av_error.HTTPServerError,
        CameraState.BUSY,
        "{where} answered with an error of its own when the stream was started",
    ),
    (av_error.ConnectionRefusedError, CameraState.REFUSED, "{where} refused the connection"),
    (av_error.ExitError, CameraState.UNREACHABLE, "{where} describes the stream, but sends nothing over {transport}"),
    (
        av_error.TimeoutError,
        CameraState.UNREACHABLE,
        "{where} describes the stream, but sends nothing over {transport}",
    ),
    (av_error.InvalidDataError, CameraState.LOST, "{where} sent what cannot be understood, or hung up"),
    (av_error.EOFError, CameraState.LOST, "{where} ended the stream before its first picture"),
)


def refuses_transport(error: OSError) -> bool:
    """Tell whether the server does not have the transport that was asked for (answer 461)."""
    return error.errno == errno.EPROTONOSUPPORT


def from_opening(error: BaseException, where: str, transport: str) -> CaptureError:
    """Translate why a probed stream could not be opened."""
    for kind, state, text in _OPENING:
        if isinstance(error, kind):
            return CaptureError(state, text.format(where=where, transport=transport))
    return CaptureError(CameraState.LOST, f"{where} could not be played ({type(error).__name__})")


def from_reading(error: BaseException, where: str) -> CaptureError:
    """Translate why a stream that was open gives no more packets."""
    if isinstance(error, av_error.ExitError | av_error.TimeoutError):
        return CaptureError(CameraState.STALLED, f"{where} is still connected, but sends nothing any more")
    return CaptureError(CameraState.LOST, f"The connection to {where} broke ({type(error).__name__})")
