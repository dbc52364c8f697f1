"""Outputs as RTSP streams: what a player gets, who may play, and that nothing is encoded for nobody."""

import os
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.error import FFmpegError
from vedette_display.certificate import own_certificate

from tests.waiting import eventually

from .test_display_controls import known
from .test_live_pictures import open_page


def addresses(display: Any, application: Any, **headers: str) -> dict[str, str]:
    """Return where the output is streamed, as the page is told."""
    known(display, application)
    secret = display.page.partition("?")[2]
    with open_page(display, query=secret, **headers) as page:
        found: dict[str, str] = page.until(lambda: page.state.get("streams", {}).get(application.output_id))
        return found


def red_at_the_left_line(image: Any) -> bool:
    return bool(image[80:170, 64][:, 2].mean() > 150)


def test_opencv_cannot_play_an_output(display: Any, start_application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    application = start_application()
    found = addresses(display, application)
    assert found["annotated"].endswith("/people-counter/lobby")
    monkeypatch.setitem(os.environ, "OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    capture = cv2.VideoCapture(found["annotated"], cv2.CAP_FFMPEG)
    try:
        frames = [frame for good, frame in (capture.read() for _ in range(12)) if good]
    finally:
        capture.release()
    assert len(frames) == 12
    assert frames[-1].shape == (360, 640, 3)
    assert red_at_the_left_line(frames[-1])
    assert len({frame.tobytes() for frame in frames}) > 6, "the picture moves"
    eventually(lambda: application.ring.readers == 0, "nothing is read any more")


def test_stream_without_overlays_has_them_or_time_stands_still(display: Any, start_application: Any) -> None:
    application = start_application()
    with av.open(addresses(display, application)["plain"], options={"rtsp_transport": "udp"}, timeout=20) as container:
        times, image = [], None
        for frame in container.decode(video=0):
            times.append(float(frame.time or 0.0))
            image = frame.to_ndarray(format="bgr24")
            if len(times) >= 15:
                break
    assert not red_at_the_left_line(image)
    steps = np.diff(times)
    assert (steps > 0).all()
    assert 0.3 < times[-1] - times[0] < 10


def test_second_player_costs_a_second_encoder(display: Any, start_application: Any) -> None:
    application = start_application()
    address = addresses(display, application)["annotated"]
    with av.open(address, timeout=20) as one, av.open(address, timeout=20) as two:
        for container in (one, two):
            assert next(container.decode(video=0)).width == 640
        assert application.ring.readers == 1


def test_stream_beyond_loopback_needs_no_password(start_display: Any, start_application: Any) -> None:
    display = start_display(bind="0.0.0.0", rtsp="on", tls="off", hosts=["localhost"])
    display.page = display.page.replace(display.page.split("/")[2].rpartition(":")[0], "127.0.0.1")
    application = start_application()
    found = addresses(display, application)["annotated"]
    login, _, place = found.removeprefix("rtsp://").partition("@")
    user, _, password = login.partition(":")
    port = place.partition("/")[0].rpartition(":")[2]
    assert user == "viewer"
    assert password not in display.page, "the page's key is another secret"
    with pytest.raises(FFmpegError), av.open(f"rtsp://127.0.0.1:{port}/people-counter/lobby", timeout=20):
        pass
    with pytest.raises(FFmpegError), av.open(f"rtsp://viewer:no@127.0.0.1:{port}/people-counter/lobby", timeout=20):
        pass
    with av.open(f"rtsp://{login}@127.0.0.1:{port}/people-counter/lobby", timeout=20) as container:
        assert next(container.decode(video=0)).width == 640


def test_stream_over_tls_is_not_encrypted_or_anybody_may_be_the_device(
    start_display: Any, start_application: Any, tmp_path: Path
) -> None:
    display = start_display(bind="0.0.0.0", tls="off", rtsp="off", rtsps="on", rtspsPort=0, hosts=["localhost"])
    display.page = display.page.replace(display.page.split("/")[2].rpartition(":")[0], "localhost")
    application = start_application()
    found = addresses(display, application)
    assert (found["annotated"], found["plain"]) == ("", ""), "nothing is served in the clear"
    login, _, place = found["secure"].removeprefix("rtsps://").partition("@")
    address = f"rtsps://{login}@localhost:{place.partition('/')[0].rpartition(':')[2]}/people-counter/lobby"
    quick = {"analyzeduration": "100000", "tls_verify": "1"}
    own = Path("certificate.pem").absolute()
    with av.open(address, options={**quick, "ca_file": str(own)}, timeout=20) as container:
        assert next(container.decode(video=0)).width == 640
    own_certificate(tmp_path, ["localhost"])
    with pytest.raises(FFmpegError):
        av.open(address, options={**quick, "ca_file": str(tmp_path / "certificate.pem")}, timeout=20)
    with pytest.raises(FFmpegError):
        av.open(address.replace("rtsps", "rtsp"), options={"rtsp_transport": "tcp"}, timeout=20)
    assert found["secure_plain"].endswith("/people-counter/lobby/plain")
