"""vedette compile: what it refuses, what it says, names of secrets that no other application has."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from vedette.cli.application import named_for_account
from vedette.cli.arguments import Cameras, read_cameras
from vedette.cli.compile import CompileOptions, compile_to_folder
from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.resources import examples_dir

URL = "rtsp://10.0.0.1/1"
GIVEN = "rtsp://viewer@10.0.0.1/1"
"""What the command line has after the password was taken out of it."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    source = examples_dir() / "people-counter"
    return shutil.copytree(source, tmp_path / "people-counter", ignore=shutil.ignore_patterns(".vedette"))


def run(project: Path, **options: Any) -> int:
    chosen = {"directory": project, "out": project.parent / "out", "cameras": (f"camera_node={GIVEN}",), **options}
    return compile_to_folder(CompileOptions(**chosen), {GIVEN: ("viewer", "s3cret")}, Terminal())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bucket": "My_Bucket"}, "--bucket takes the name of an S3 bucket, got `My_Bucket`"),
        ({"target": "shop"}, "target `shop` is no thing and no thing group"),
        ({"transport": "carrier-pigeon"}, "--transport takes tcp or udp"),
        ({"cameras": ("camera_node",)}, "--camera takes NODE=VALUE"),
        ({"settings": ("=1",)}, "--set takes NODE=VALUE"),
    ],
)
def test_wrong_usage_is_taken(project: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Failure, match=message) as caught:
        run(project, **options)
    assert caught.value.exit_code == EXIT_USAGE
    assert not (project.parent / "out").exists()


def test_secrets_are_written_among_what_is_published(project: Path) -> None:
    for place in ("out/secrets.json", "out/a/../secrets.json"):
        with pytest.raises(Failure, match="which is there to be published"):
            run(project, secrets_file=project.parent / place)
    with pytest.raises(Failure, match="no path of a file in a folder that exists"):
        run(project, secrets_file=project.parent / "nowhere" / "secrets.json")
    assert not (project.parent / "out").exists()


def test_a_finding_is_no_failure_or_no_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure, match="1 error, see above") as caught:
        run(project, cameras=(), as_json=True)
    assert caught.value.exit_code == EXIT_FAILED
    said = capsys.readouterr()
    assert "error[V042]" in said.err
    document = json.loads(said.out)
    assert document["schema"] == "vedette.compile/1"
    assert document["ok"] is False
    assert "1 error" in document["error"]


def test_json_says_other_than_what_was_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, as_json=True, instance="shop-1") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["ok"] is True
    assert document["instance"] == "shop-1"
    assert sorted(document["changed"]) == sorted([*document["files"], "compiled.json"])
    assert all((project.parent / "out" / name).is_file() for name in document["files"])
    assert document["secrets"][0]["cameras"] == ["camera_node/camera_node"]
    assert "s3cret" not in said.out + said.err


def test_values_of_secrets_are_not_written_where_they_are_asked_for(project: Path) -> None:
    path = project.parent / "secrets.json"
    run(project, secrets_file=path)
    assert path.stat().st_mode & 0o777 == 0o600
    ((name, value),) = json.loads(path.read_text()).items()
    assert value == {"Username": "viewer", "Password": "s3cret", "StreamUrl": URL}
    deployed = json.loads((project.parent / "out/deployment.device.json").read_text())
    cameras = deployed["components"]["vedette.app.people-counter"]["configurationUpdate"]["merge"]["cameras"]
    assert cameras["camera_node"][0]["secret"] == name
    assert cameras["camera_node"][0]["url"] == URL


def test_two_applications_share_a_secret_by_accident() -> None:
    """Every application has a camera_node: its name alone would let one deployment change another's password."""

    def named(url: str) -> Cameras:
        return named_for_account(read_cameras([f"camera_node={url}"], {url: ("viewer", "s3cret")}, known={}), {})

    one, two = named(GIVEN), named("rtsp://viewer@10.0.0.2/1")
    assert not one.secrets.keys() & two.secrets.keys()
    assert one.sources["camera_node"][0].secret in one.secrets
    assert named(GIVEN) == one, "equal camera, equal secret: one session for both"


def test_a_known_camera_has_another_secret_than_camera_add_makes() -> None:
    known = {"lobby": {"Username": "u", "Password": "p", "StreamUrl": "rtsp://10.0.0.1/1"}}
    cameras = named_for_account(read_cameras(["camera_node=lobby", "camera_node=rtsp://h/1"], {}, known=known), known)
    assert [source.secret for source in cameras.sources["camera_node"]] == ["vedette/camera/lobby", None]
    assert set(cameras.secrets) == {"vedette/camera/lobby"}


def test_a_file_of_this_machine_goes_to_devices_in_silence(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = project / "street.mp4"
    video.write_bytes(b"x")
    run(project, cameras=(f"camera_node={video}",))
    assert f"camera_node is {video}: the device must have it at that path" in capsys.readouterr().err


def test_parameters_that_no_shadow_holds_are_not_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project, settings=(f"count_label={'x' * 9000}",))
    assert "a shadow holds 8192" in capsys.readouterr().err
    run(project)
    assert "a shadow holds" not in capsys.readouterr().err
