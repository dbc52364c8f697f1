"""What people type after --camera and --set."""

import json
from pathlib import Path

import pytest

from vedette.cli.arguments import read_cameras, read_known_cameras, read_pairs
from vedette.cli.failure import Failure


def test_password_gets_into_the_source() -> None:
    url, given = "rtsp://10.0.0.1/a", "rtsp://viewer@10.0.0.1/a"
    cameras = read_cameras([f"cam={given}"], {given: ("viewer", "s3cret")}, known={})
    source = cameras.sources["cam"][0]
    assert (source.name, source.url, source.secret) == ("cam", url, "vedette/cam")
    assert cameras.secrets["vedette/cam"] == {"Username": "viewer", "Password": "s3cret", "StreamUrl": url}
    assert "s3cret" not in repr(cameras)


def test_second_camera_of_a_node_replaces_the_first() -> None:
    cameras = read_cameras(["cam=rtsp://a/1", "cam=rtsp://b/2"], {}, known={})
    assert [(s.name, s.url) for s in cameras.sources["cam"]] == [("cam", "rtsp://a/1"), ("cam-2", "rtsp://b/2")]


def test_file_path_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "street.mp4").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert read_cameras(["cam=street.mp4"], {}, known={}).sources["cam"][0].url == str(tmp_path / "street.mp4")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("cam", "takes NODE=VALUE"),
        ("=rtsp://a", "takes NODE=VALUE"),
        ("cam=missing.mp4", "no file that exists"),
        ("cam=ftp://h/x", "begins with rtsp:// or rtsps:// or http://"),
        ("cam=rtsp:///x", "no host"),
        ("cam=rtsp://h:port/x", "no valid host and port"),
    ],
)
def test_nonsense_is_taken_for_a_camera(value: str, message: str) -> None:
    with pytest.raises(Failure) as caught:
        read_cameras([value], {}, known={})
    assert message in caught.value.message
    assert caught.value.exit_code == 2


def test_known_camera_is_not_found(tmp_path: Path) -> None:
    file = tmp_path / "cameras.json"
    camera = {"Username": "u", "Password": "p", "StreamUrl": "rtsp://10.0.0.9/x"}
    file.write_text(json.dumps({"lobby": camera}))
    file.chmod(0o600)
    known = read_known_cameras(file)
    cameras = read_cameras(["cam=lobby"], {}, known=known)
    assert cameras.sources["cam"][0].name == "lobby"
    assert cameras.secrets == {"lobby": camera}
    with pytest.raises(Failure) as caught:
        read_cameras(["cam=loby"], {}, known=known)
    assert caught.value.hint == "known cameras: lobby"


def test_cameras_file_open_to_others_is_used(tmp_path: Path) -> None:
    file = tmp_path / "cameras.json"
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(Failure) as caught:
        read_known_cameras(file)
    assert caught.value.hint == f"chmod 600 {file}"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"StreamUrl": 1}}', '{"a": {"Url": "x"}}'])
def test_broken_cameras_file_ends_in_a_traceback(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cameras.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(Failure) as caught:
        read_known_cameras(file)
    assert "must hold" in caught.value.message


def test_value_with_an_equals_sign_is_cut() -> None:
    assert read_pairs(["a=b=c", "d="], "--set") == [("a", "b=c"), ("d", "")]
