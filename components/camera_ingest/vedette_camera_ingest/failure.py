"""Why a try to play a camera ended: a state for the machine and a sentence for people."""

import errno
from typing import Final

from vedette.messages import CameraState
from vedette.rtsp import (
    AddressError,
    AnswerRefused,
    Busy,
    ConnectionClosed,
    LoginRefused,
    NameNotFound,
    NotRtsp,
    NoVideo,
    PasswordNeeded,
    PortRefused,
    ProbeError,
    RtspError,
    StreamNotFound,
    TlsFailed,
    TransportRefused,
    Unreachable,
)


class CaptureError(Exception):
    """One try is over. ``state`` and ``detail`` go into the camera's status; ``detail`` never holds a password."""

    def __init__(self, state: CameraState, detail: str) -> None:
        super().__init__(detail)
        self.state = state
        self.detail = detail


_STATES: Final[dict[type[Exception], CameraState]] = {
    NameNotFound: CameraState.NAME_NOT_FOUND,
    Unreachable: CameraState.UNREACHABLE,
    PortRefused: CameraState.REFUSED,
    ConnectionClosed: CameraState.LOST,
    NotRtsp: CameraState.NOT_RTSP,
    TlsFailed: CameraState.FAILED,
    PasswordNeeded: CameraState.PASSWORD_NEEDED,
    LoginRefused: CameraState.WRONG_PASSWORD,
    StreamNotFound: CameraState.NOT_FOUND,
    Busy: CameraState.BUSY,
    AnswerRefused: CameraState.FAILED,
    TransportRefused: CameraState.FAILED,
    NoVideo: CameraState.NO_VIDEO,
    AddressError: CameraState.FAILED,
}


def from_probe(error: ProbeError | RtspError, secret: str | None) -> CaptureError:
    """Translate what the probe found; a refused login names the secret it came from."""
    state = _STATES.get(type(error), CameraState.FAILED)
    detail = str(error)
    if isinstance(error, LoginRefused) and secret:
        detail = f"{detail} from secret {secret}"
    if isinstance(error, PasswordNeeded) and secret:
        detail = f"{detail}: secret {secret} holds no Username"
    return CaptureError(state, detail)


def from_file(error: OSError, path: str) -> CaptureError:
    """Translate why a video file could not be opened."""
    if isinstance(error, FileNotFoundError):
        return CaptureError(CameraState.NOT_FOUND, f"Video file {path} does not exist on this device")
    if isinstance(error, IsADirectoryError):
        return CaptureError(CameraState.NOT_FOUND, f"{path} is a folder, expected a video file")
    if isinstance(error, PermissionError):
        return CaptureError(CameraState.FAILED, f"Video file {path} may not be read by this device's component user")
    reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return CaptureError(CameraState.FAILED, f"Video file {path} cannot be read ({reason})")
