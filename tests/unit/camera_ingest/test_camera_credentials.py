"""Logins out of secrets: every cause has its own sentence, and the password shows nowhere (CAM-03, TRB-12)."""

import json

import pytest
from vedette_camera_ingest.credentials import Credentials, fetch
from vedette_camera_ingest.failure import CaptureError

from vedette.bus import NotFound, NotSupported, Unauthorized
from vedette.bus.memory import MemoryBus
from vedette.messages import CameraSource, CameraState
from vedette.secrets import SecretReader

PASSWORD = "p@ss/w:rd#1%"


class BusWithoutSecrets(MemoryBus):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        raise self._error


def source(url: str = "rtsp://10.0.0.21/s", secret: str | None = "dock") -> CameraSource:
    return CameraSource(name="dock-cam", url=url, secret=secret)


def fetch_text(text: str, camera: CameraSource) -> Credentials:
    with MemoryBus(secrets={"dock": text}) as bus:
        return fetch(SecretReader(bus, environ={}), camera)


def template(user: str = "viewer", password: str = PASSWORD, url: str = "") -> str:
    return json.dumps({"Username": user, "Password": password, "StreamUrl": url})


def test_login_comes_out_of_the_secret() -> None:
    assert fetch_text(template(), source()) == Credentials("rtsp://10.0.0.21/s", "viewer", PASSWORD)


def test_address_of_the_secret_serves_when_the_camera_has_none() -> None:
    given = fetch_text(template(url="rtsp://10.9.9.9/own"), source(url=""))
    assert given.url == "rtsp://10.9.9.9/own"
    assert fetch_text(template(url="rtsp://10.9.9.9/own"), source()).url == "rtsp://10.0.0.21/s"


def test_login_in_the_address_is_taken_out_of_it() -> None:
    given = fetch_text(template("", "", "rtsp://viewer:secret@10.9.9.9/own"), source(url=""))
    assert given == Credentials("rtsp://10.9.9.9/own", "viewer", "secret")


def test_no_secret_means_no_call_to_the_secret_manager() -> None:
    with BusWithoutSecrets(AssertionError("asked")) as bus:
        assert fetch(SecretReader(bus, environ={}), source(secret=None)) == Credentials("rtsp://10.0.0.21/s")


def test_password_is_not_in_the_repr() -> None:
    assert PASSWORD not in repr(fetch_text(template(), source()))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NotFound("x"), "cloudSecrets"),
        (Unauthorized("x"), "accessControl"),
        (NotSupported("x"), "no secrets"),
    ],
)
def test_missing_secret_says_which_cause(error: Exception, says: str) -> None:
    with BusWithoutSecrets(error) as bus, pytest.raises(CaptureError) as raised:
        fetch(SecretReader(bus, environ={}), source())
    assert raised.value.state is CameraState.SECRET_UNAVAILABLE
    assert says in raised.value.detail
    assert "dock" in raised.value.detail


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"viewer:{PASSWORD}", "is not JSON"),
        (json.dumps([PASSWORD]), "is not a JSON object"),
        (json.dumps({"Username": "viewer", "Password": {"x": PASSWORD}}), "no text in Password"),
    ],
)
def test_malformed_secret_is_said_without_its_content(text: str, says: str) -> None:
    with pytest.raises(CaptureError) as raised:
        fetch_text(text, source())
    assert raised.value.state is CameraState.SECRET_UNAVAILABLE
    assert says in raised.value.detail
    chain = [raised.value, raised.value.__cause__, raised.value.__context__ if raised.value.__cause__ else None]
    assert not [error for error in chain if PASSWORD in repr(error)]


def test_camera_without_any_address_says_where_one_was_looked_for() -> None:
    with pytest.raises(CaptureError, match="secret dock has no StreamUrl"):
        fetch_text(template(), source(url=""))


def test_a_rotated_password_needs_a_deployment() -> None:
    old, new = template(password="old"), template(password="new")
    with MemoryBus(secrets={"dock": old}) as bus:
        now = [0.0]
        secrets = SecretReader(bus, environ={}, clock=lambda: now[0])
        bus.rotated["dock"] = new
        assert fetch(secrets, source()).password == "old"  # the device's own copy serves while it is taken
        assert fetch(secrets, source(), refused=True).password == "new"
