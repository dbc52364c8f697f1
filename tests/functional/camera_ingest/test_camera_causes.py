"""One state for each cause, against servers that misbehave."""

from functools import partial

import pytest
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.events import Over
from vedette_camera_ingest.session import Session

from vedette.messages import CameraSource, CameraState
from vedette.rtsp import play

from .conftest import Stand
from .fake_rtsp import VIDEO_SDP, answer, fake_server

AUDIO_SDP = "v=0\r\ns=-\r\nm=audio 0 RTP/AVP 0\r\n"
MPEG4_SDP = VIDEO_SDP.replace("H264", "MP4V-ES")
CAUSES = [
    (None, True, CameraState.LOST, "closed the connection"),
    (None, False, CameraState.UNREACHABLE, "has not answered DESCRIBE"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, CameraState.NOT_RTSP, "is not an RTSP server"),
    (answer(453, "Not Enough Bandwidth"), False, CameraState.BUSY, "453"),
    (answer(500, "Internal Server Error"), False, CameraState.FAILED, "500 Internal Server Error"),
    (answer(200, "OK", AUDIO_SDP), False, CameraState.NO_VIDEO, "only audio"),
    (answer(200, "OK", MPEG4_SDP), False, CameraState.UNSUPPORTED_CODEC, "MPEG-4 Part 2"),
]


@pytest.mark.parametrize(("reply", "hang_up", "state", "says"), CAUSES, ids=[cause[2].value for cause in CAUSES])
def test_cause_at_the_server(stand: Stand, reply: bytes | None, hang_up: bool, state: CameraState, says: str) -> None:
    with fake_server(reply, hang_up=hang_up) as port:
        stand.want(CameraSource(name="dock", url=f"rtsp://127.0.0.1:{port}/s"))
        status = stand.wait_for(lambda status: status.state is state and status.next_try_s is not None)
        assert says in status.detail
        assert status.since > 0


def test_port_closed(stand: Stand) -> None:
    with fake_server(None) as port:
        pass
    stand.want(CameraSource(name="dock", url=f"rtsp://127.0.0.1:{port}/s"))
    status = stand.wait_for_state(CameraState.REFUSED)
    assert status.detail == f"127.0.0.1 refused port {port}: is RTSP switched on?"


def test_name_unknown(stand: Stand) -> None:
    stand.want(CameraSource(name="dock", url="rtsp://no-such-camera.invalid/s"))
    assert "no-such-camera.invalid not found" in stand.wait_for_state(CameraState.NAME_NOT_FOUND, 15.0).detail


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/video.mjpg", "rtsp://127.0.0.1:99999/s"])
def test_address_that_is_none_of_a_camera(stand: Stand, url: str) -> None:
    stand.want(CameraSource(name="dock", url=url))
    assert "rtsp://" in stand.wait_for_state(CameraState.FAILED).detail or "malformed" in stand.heard[-1].detail


def test_stream_that_is_promised_and_never_comes() -> None:
    """The server describes the stream and then answers nothing more."""
    with fake_server(answer(200, "OK", VIDEO_SDP), replies=1) as port:
        url = f"rtsp://127.0.0.1:{port}/s"
        session = Session(CameraSource(name="dock", url=url), Credentials(url), player=partial(play, timeout_s=0.5))
        session.start()
        event = session.next(5.0)
        session.close()
    assert isinstance(event, Over)
    assert event.error.state in (CameraState.UNREACHABLE, CameraState.LOST)
    assert f"127.0.0.1 port {port}" in event.error.detail
