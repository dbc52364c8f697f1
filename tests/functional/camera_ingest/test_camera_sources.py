"""Cameras that do not speak RTSP, RTSP over TLS, folders of images, and limits of pictures a second."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vedette.messages import CameraSource, CameraState
from vedette.rtsp_server import RtspServer

from .conftest import PASSWORD, USER, Stand, take
from .fake_http import HttpServer, begin, http_camera, image, part

PATIENCE_S = 30.0


@pytest.fixture
def web() -> Iterator[HttpServer]:
    with http_camera() as server:
        yield server


@pytest.mark.parametrize(("path", "login"), [("/mjpeg", False), ("/mjpeg?login=1", True), ("/snap.jpg?login=1", True)])
def test_jpeg_over_http(stand: Stand, web: HttpServer, path: str, login: bool) -> None:
    stand.bus.secrets["vedette/dock"] = json.dumps({"Username": USER, "Password": PASSWORD})
    secret = "vedette/dock" if login else None
    stand.want(CameraSource(name="dock", url=web.url(path), secret=secret, max_fps=20))
    reader = stand.reader()
    leases = take(reader, 5, PATIENCE_S)
    assert (leases[0].header.width, leases[0].header.height) == (320, 240)
    assert stand.wait_for_state(CameraState.LIVE, PATIENCE_S).codec == "MJPEG"
    reader.close()


def test_causes_over_http_are_mixed_up(stand: Stand, web: HttpServer) -> None:
    def page(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()

    web.paths["/page"] = page
    causes = {
        "/nothing": (CameraState.NOT_FOUND, "has nothing at /nothing (answer 404)"),
        "/page": (CameraState.NO_VIDEO, "answers with text/html, expected motion JPEG"),
        "/mjpeg?login": (CameraState.PASSWORD_NEEDED, "no user name was given"),
    }
    for path in causes:
        stand.want(CameraSource(name=path.strip("/?=")[:5], url=web.url(path)))
    for path, (state, words) in causes.items():
        name = path.strip("/?=")[:5]
        status = stand.wait_for(lambda s, n=name, w=state: s.name == n and s.state is w, PATIENCE_S)  # type: ignore[misc]
        assert words in status.detail


def test_http_camera_that_hangs_or_sends_nonsense_is_lost_for_ever(
    stand: Stand, web: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [True]

    def moody(handler: Any) -> None:
        begin(handler)
        if bad:
            bad.clear()
            part(handler, image())
            part(handler, b"\xff\xd8 no image \xff\xd9")
            handler.over.wait(PATIENCE_S)
            return
        web.paths["/mjpeg"](handler)

    web.paths["/moody"] = moody
    stand.want(CameraSource(name="dock", url=web.url("/moody")))
    reader = stand.reader()
    assert "has sent no" in stand.wait_for_state(CameraState.STALLED, PATIENCE_S).detail
    stand.forget()
    stand.wait_for_state(CameraState.LIVE, PATIENCE_S)
    take(reader, 5, PATIENCE_S)
    reader.close()


def test_folder_of_images(stand: Stand, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2, 10):
        (folder / f"picture{number}.jpg").write_bytes(image(number * 10))
    (folder / "picture3.jpg").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    (folder / ".picture4.jpg").write_bytes(image(99))  # on its way into the folder
    stand.want(CameraSource(name="once", url=str(folder), pace="fastest", loop=False))
    stand.want(CameraSource(name="round", url=str(folder), max_fps=50))
    reader = stand.reader_of("once")
    greys = []
    for _ in range(3):
        lease = reader.receive(PATIENCE_S)
        assert lease is not None
        greys.append(lease.buffer[0])
        lease.release()
    assert greys == sorted(set(greys)), "picture2 comes before picture10"
    assert "played to its end" in stand.wait_for_state(CameraState.ENDED, PATIENCE_S).detail
    again = stand.reader_of("round")
    take(again, 10, PATIENCE_S)
    reader.close()
    again.close()


def test_folder_without_images(stand: Stand, tmp_path: Path) -> None:
    stand.want(CameraSource(name="dock", url=str(tmp_path)))
    assert "holds no image" in stand.wait_for_state(CameraState.NO_VIDEO, PATIENCE_S).detail


def test_rtsp_over_tls(stand: Stand, clips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True, timeout=30)
    stand.bus.secrets["vedette/dock"] = json.dumps({"Username": USER, "Password": PASSWORD})
    with RtspServer({"cam": clips["h264"]}, USER, PASSWORD, certificate=(certificate, key)) as server:
        stranger = CameraSource(name="stranger", url=server.url("cam"), secret="vedette/dock")
        stand.want(stranger)
        failed = stand.wait_for_state(CameraState.FAILED, PATIENCE_S)
        assert "is not trusted" in failed.detail
        stand.want_no_more(stranger)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        stand.want(CameraSource(name="known", url=server.url("cam"), secret="vedette/dock"))
        reader = stand.reader_of("known")
        take(reader, 10, PATIENCE_S)
        reader.close()
        # One that the device does not trust, by the certificate in its secret.
        monkeypatch.delenv("SSL_CERT_FILE")
        login = {"Username": USER, "Password": PASSWORD, "StreamUrl": server.url("cam")}
        stand.bus.secrets["vedette/pinned"] = json.dumps({**login, "Certificate": certificate.read_text()})
        stand.want(CameraSource(name="pinned", secret="vedette/pinned"))
        reader = stand.reader_of("pinned")
        take(reader, 10, PATIENCE_S)
        reader.close()


def test_limit_of_pictures_a_second_is_not_kept(stand: Stand, clips: dict[str, Path]) -> None:
    with RtspServer({"cam": clips["h264"]}) as server:
        stand.want(CameraSource(name="dock", url=server.url("cam"), max_fps=5))
        reader = stand.reader()
        leases = take(reader, 8, PATIENCE_S)
        times = [lease.header.capture_mono_ns for lease in leases]
        assert 0.15e9 < (times[-1] - times[2]) / 5 < 0.3e9
        reader.close()
