"""Cameras are found and tell their streams, with every login and version; what lies is not followed."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import closed_port
from vedette.onvif import (
    LoginNeeded,
    NotOnvif,
    OnvifLoginRefused,
    OnvifUnreachable,
    discover,
    streams_of,
)

from .onvif_camera import PASSWORD, USER, OnvifCamera


@pytest.fixture
def camera() -> Iterator[OnvifCamera]:
    made = OnvifCamera()
    yield made
    made.close()


def service(camera: OnvifCamera) -> str:
    return f"http://127.0.0.1:{camera.port}/onvif/device_service"


def test_a_camera_is_not_found_or_its_lie_is_followed(camera: OnvifCamera) -> None:
    (found,) = discover(2.0, addresses=["127.0.0.1"], group=camera.group)
    assert (found.name, found.hardware) == ("Dock East", "X1")
    assert found.host == "127.0.0.1", "it says that it is at 192.168.99.99"
    assert found.service == service(camera)
    assert len(streams_of(found.service, USER, PASSWORD).profiles) == 2


@pytest.mark.parametrize(("version2", "codec"), [(False, "H.264"), (True, "H.265")])
def test_streams_are_told_wrongly(camera: OnvifCamera, version2: bool, codec: str) -> None:
    camera.version2 = version2
    told = streams_of(service(camera), USER, PASSWORD)
    assert (told.maker, told.model, told.firmware) == ("Acme", "X1", "1.2")
    main, small = told.profiles
    assert (main.codec, main.width, main.height, main.fps) == (codec, 2560, 1440, 25)
    assert (small.name, small.url) == ("small", "rtsp://127.0.0.1:554/h264?profile=small")


def test_login_of_http_is_not_answered(camera: OnvifCamera) -> None:
    camera.http_login = True
    assert len(streams_of(service(camera), USER, PASSWORD).profiles) == 2


def test_password_in_the_address_of_a_stream_is_shown(camera: OnvifCamera) -> None:
    camera.stream = "rtsp://viewer:secret@127.0.0.1/{}"
    told = streams_of(service(camera), USER, PASSWORD)
    assert [profile.url for profile in told.profiles] == ["rtsp://127.0.0.1/main", "rtsp://127.0.0.1/small"]


@pytest.mark.parametrize("stream", ["http://10.0.0.1/{}", "rtsp://a b/{}", "file:///etc/passwd", "javascript:{}", ""])
def test_address_that_is_no_stream_is_offered(camera: OnvifCamera, stream: str) -> None:
    camera.stream = stream
    assert streams_of(service(camera), USER, PASSWORD).profiles == ()


def test_causes_are_mixed_up(camera: OnvifCamera) -> None:
    with pytest.raises(OnvifLoginRefused, match="refuses user viewer"):
        streams_of(service(camera), USER, "wrong")
    with pytest.raises(LoginNeeded):
        streams_of(service(camera))
    for nonsense in (b"<html/>", b"", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"\xff" * 2_000_000):
        camera.answer_with = nonsense
        with pytest.raises(NotOnvif):
            streams_of(service(camera), USER, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(OnvifUnreachable, match="does not answer"):
            streams_of(f"http://127.0.0.1:{port}/x", timeout_s=0.5)
    with closed_port() as port, pytest.raises(OnvifUnreachable, match="refuses the connection"):
        streams_of(f"http://127.0.0.1:{port}/x")


def test_camera_that_drips_holds_it_up_for_ever() -> None:
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        sock, _ = server.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not over.wait(0.05):
                try:
                    sock.sendall(b"<")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(OnvifUnreachable):
            streams_of(f"http://127.0.0.1:{server.getsockname()[1]}/x", timeout_s=1.0)
        over.set()
        thread.join(30)


def test_command_shows_the_password_or_a_traceback(camera: OnvifCamera) -> None:
    def run(*arguments: str, password: str = "") -> "subprocess.CompletedProcess[str]":
        command = [
            sys.executable,
            "-m",
            "vedette.cli.main",
            "camera",
            "discover",
            f"127.0.0.1:{camera.port}",
            *arguments,
        ]
        return subprocess.run(command, input=password, capture_output=True, text=True, timeout=50, check=False)

    done = run("--user", USER, "--json", password=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["cameras"]
    assert (told["model"], told["profiles"][1]["width"]) == ("X1", 640)
    refused = run("--user", USER, password="other\n")
    assert refused.returncode == 1
    assert "refuses user viewer" in refused.stdout
    shown = done.stdout + done.stderr + refused.stdout + refused.stderr
    assert PASSWORD not in shown
    assert "Traceback" not in shown


def test_the_streams_that_a_camera_tells_are_not_registered_or_the_login_is_lost(
    camera: OnvifCamera, tmp_path: Path
) -> None:
    file = tmp_path / "cameras.json"

    def add(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "vedette.cli.main", "camera", "add", "lobby", "--cameras-file", str(file)]
        onvif = ["--onvif", f"127.0.0.1:{camera.port}", "--user", USER, "--password-stdin", *arguments]
        return subprocess.run(
            [*command, *onvif], input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=50, check=False
        )

    done = add("--model-size", "300x300")
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text())["lobby"] == {
        "Username": USER, "Password": PASSWORD,
        "StreamUrl": "rtsp://127.0.0.1:554/h264?profile=main",
        "SubStreamUrl": "rtsp://127.0.0.1:554/h264?profile=small",
    }  # fmt: skip
    assert "2560x1440" in done.stderr
    assert "640x360" in done.stderr
    assert "models of 300x300" in done.stderr
    file.unlink()
    project = Path(__file__).parents[3] / "examples" / "people-counter"
    done = add("--model-size", str(project))
    assert done.returncode == 0, done.stderr
    assert "takes)" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
