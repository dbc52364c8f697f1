"""``vedette camera discover`` and addresses of cameras that are plugged in."""

import json
from pathlib import Path

import pytest

from vedette.cli import discover
from vedette.cli.arguments import read_cameras
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal
from vedette.video_devices import Device, Mode

MODES = (Mode("YUYV", "yuyv422", 640, 480, 30.0), Mode("MJPEG", "mjpeg", 1920, 1080, 30.0))
WEBCAM = Device(Path("/dev/v4l/by-id/usb-Acme-index0"), Path("/dev/video0"), "Acme Cam", "usb-1", MODES)
LOCKED = Device(
    Path("/dev/video2"), Path("/dev/video2"), "", "", (), "may not be opened: add this user to the group video"
)


def discovered(monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> int:
    monkeypatch.setattr(discover, "discover", lambda _: [])
    monkeypatch.setattr(discover, "find_devices", lambda: [WEBCAM, LOCKED])
    return discover.discover_cameras([], None, Terminal(), timeout_s=0.5, as_json=as_json)


def test_a_plugged_in_camera_is_not_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert discovered(monkeypatch, as_json=False) == 0
    said = capsys.readouterr()
    assert "/dev/v4l/by-id/usb-Acme-index0  Acme Cam" in said.out
    assert "size=1920x1080&format=mjpeg" in said.out
    assert "group video" in said.out
    assert "vedette camera test /dev/v4l/by-id/usb-Acme-index0" in said.err
    assert discovered(monkeypatch, as_json=True) == 0
    (webcam, locked) = json.loads(capsys.readouterr().out)["devices"]
    assert (webcam["path"], webcam["modes"][1]["fps"]) == ("/dev/v4l/by-id/usb-Acme-index0", 30.0)
    assert locked["problem"]


def test_a_lasting_name_becomes_a_number_that_changes() -> None:
    address = "/dev/v4l/by-id/usb-Acme-index0?size=1280x720"
    cameras = read_cameras([f"node={address}"], {}, known={})
    assert cameras.sources["node"][0].url == address
    with pytest.raises(Failure, match="is no wish"):
        read_cameras(["node=/dev/video0?speed=9"], {}, known={})
