"""Every cause has a state of its own."""

import pytest
from vedette_camera_ingest.failure import _STATES, from_file, from_probe

from vedette import rtsp
from vedette.messages import CameraState


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
