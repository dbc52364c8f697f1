"""Every cause has a state of its own; libav's texts, which hold the password, reach nobody."""

import av
import pytest
from vedette_camera_ingest import libav_errors
from vedette_camera_ingest.failure import _STATES, from_file, from_probe

from vedette import rtsp
from vedette.messages import CameraState

SECRET_TEXT = "rtsp://viewer:geheim@10.0.0.21/s"


def test_every_cause_the_probe_knows_has_a_state() -> None:
    causes = {kind for kind in vars(rtsp.errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert causes - {rtsp.RtspError, rtsp.ProbeError} == set(_STATES)


def test_refused_login_names_user_and_secret() -> None:
    error = from_probe(rtsp.LoginRefused("10.0.0.21 answered 401 to user viewer", code=401), "vedette/dock")
    assert error.state is CameraState.WRONG_PASSWORD
    assert error.detail == "10.0.0.21 answered 401 to user viewer from secret vedette/dock"


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (av.error.HTTPUnauthorizedError, CameraState.WRONG_PASSWORD),
        (av.error.HTTPForbiddenError, CameraState.WRONG_PASSWORD),
        (av.error.HTTPNotFoundError, CameraState.NOT_FOUND),
        (av.error.HTTPOtherClientError, CameraState.BUSY),
        (av.error.HTTPServerError, CameraState.BUSY),
        (av.error.ConnectionRefusedError, CameraState.REFUSED),
        (av.error.TimeoutError, CameraState.UNREACHABLE),
        (av.error.ExitError, CameraState.UNREACHABLE),
        (av.error.InvalidDataError, CameraState.LOST),
        (av.error.EOFError, CameraState.LOST),
        (av.error.BrokenPipeError, CameraState.LOST),
    ],
)
def test_libav_errors_by_class(kind: type[Exception], state: CameraState) -> None:
    error = libav_errors.from_opening(kind(1, SECRET_TEXT, SECRET_TEXT), "10.0.0.21 port 554", "UDP")
    assert error.state is state
    assert "geheim" not in error.detail
    assert "10.0.0.21" in error.detail


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (av.error.TimeoutError, CameraState.STALLED),
        (av.error.ExitError, CameraState.STALLED),
        (av.error.ConnectionResetError, CameraState.LOST),
    ],
)
def test_libav_errors_while_reading(kind: type[Exception], state: CameraState) -> None:
    error = libav_errors.from_reading(kind(1, SECRET_TEXT, SECRET_TEXT), "10.0.0.21 port 554")
    assert error.state is state
    assert "geheim" not in error.detail


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (FileNotFoundError, CameraState.NOT_FOUND),
        (IsADirectoryError, CameraState.NOT_FOUND),
        (PermissionError, CameraState.FAILED),
        (OSError, CameraState.FAILED),
    ],
)
def test_files_that_cannot_be_opened(kind: type[OSError], state: CameraState) -> None:
    error = from_file(kind(5, "x"), "/data/a.mp4")
    assert error.state is state
    assert "/data/a.mp4" in error.detail
