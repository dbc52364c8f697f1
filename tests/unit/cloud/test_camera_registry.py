"""Cameras of an account, against moto's Secrets Manager."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from vedette.cli import application
from vedette.cli.camera_registry import (
    Given,
    Place,
    add_camera,
    fetch_cameras,
    list_cameras,
    remove_camera,
    update_camera,
)
from vedette.cli.failure import Failure
from vedette.cli.run import RunOptions
from vedette.cli.terminal import Terminal
from vedette.cloud import Cloud
from vedette.cloud.cameras import AccountCameras
from vedette.documents import load_project, resolve
from vedette.resources import examples_dir

URL = "rtsp://10.0.0.21/stream1"
AWS = Place(region="eu-west-1")


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # boto3 takes longer to make its clients than commands to use them.
    monkeypatch.setattr("vedette.cloud.access.Cloud", lru_cache(Cloud))
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


def add(name: str = "lobby", place: Place = AWS, **given: Any) -> int:
    login = {"url": f"rtsp://viewer@{URL.removeprefix('rtsp://')}", **given}
    hidden = {f"rtsp://viewer@{URL.removeprefix('rtsp://')}": ("viewer", "s3cret-word")}
    return add_camera(name, Given(**login), place, hidden, as_json=False)


def secret(account: Any, name: str = "lobby") -> Any:
    return json.loads(account.get_secret_value(SecretId=f"vedette/camera/{name}")["SecretString"])


def listed(capsys: pytest.CaptureFixture[str], place: Place = AWS) -> Any:
    capsys.readouterr()
    assert list_cameras(place, as_json=True) == 0
    return {camera["name"]: camera for camera in json.loads(capsys.readouterr().out)["cameras"]}


def test_a_camera_is_registered_otherwise_or_its_password_shown(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    add(about="at the door")
    assert secret(account) == {"Username": "viewer", "Password": "s3cret-word", "StreamUrl": URL}
    said = account.describe_secret(SecretId="vedette/camera/lobby")
    assert {"Key": "vedette:camera", "Value": "lobby"} in said["Tags"]
    assert "s3cret-word" not in json.dumps(said, default=str)
    output = capsys.readouterr()
    assert "s3cret-word" not in output.out + output.err
    assert listed(capsys)["lobby"] == {
        "name": "lobby", "url": URL, "login": True, "about": "at the door", "secret": "vedette/camera/lobby",
        "arn": said["ARN"],
    }  # fmt: skip


def test_more_cameras_than_a_page_holds_or_secrets_of_others_are_listed(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.create_secret(Name="vedette/camera/camera_node-0a047b05", SecretString="{}")
    account.create_secret(Name="other", SecretString="{}", Description='{"schema": "vedette.camera/1"}')
    for number in range(120):
        add(f"c{number:03}", url=URL)
    assert list(listed(capsys)) == [f"c{number:03}" for number in range(120)]


def test_a_removed_camera_loses_its_secret_or_stays_listed(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add()
    assert remove_camera("lobby", AWS, delete_secret=False, as_json=False) == 0
    assert listed(capsys) == {}
    assert secret(account)["Password"] == "s3cret-word", "applications go on"
    with pytest.raises(Failure, match="no camera `lobby` is registered"):
        remove_camera("lobby", AWS, delete_secret=False, as_json=False)
    add(url="rtsp://10.0.0.22/other")
    assert listed(capsys)["lobby"]["url"] == "rtsp://10.0.0.22/other"
    remove_camera("lobby", AWS, delete_secret=True, as_json=False)
    with pytest.raises(account.exceptions.InvalidRequestException):
        account.get_secret_value(SecretId="vedette/camera/lobby")


def test_what_is_not_given_is_lost_by_an_update(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    add(about="door")
    update_camera("lobby", Given(url="rtsp://10.0.0.9/x"), AWS, {}, as_json=False)
    assert secret(account) == {"Username": "viewer", "Password": "s3cret-word", "StreamUrl": "rtsp://10.0.0.9/x"}
    monkeypatch.setattr(sys, "stdin", io.StringIO("n3w-word\n"))
    update_camera("lobby", Given(user="viewer", password_stdin=True), AWS, {}, as_json=False)
    assert secret(account) == {"Username": "viewer", "Password": "n3w-word", "StreamUrl": "rtsp://10.0.0.9/x"}
    said = json.loads(account.describe_secret(SecretId="vedette/camera/lobby")["Description"])
    assert said == {"schema": "vedette.camera/1", "url": "rtsp://10.0.0.9/x", "login": True, "about": "door"}


def test_panoramas_file_of_parameters_is_refused(account: Any, tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps({"Username": "viewer", "Password": "s3cret-word", "StreamUrl": URL}))
    add(url=None, from_file=file)
    assert secret(account)["Password"] == "s3cret-word"
    file.write_text('{"Password": "s3cret-word"}')
    with pytest.raises(Failure) as failure:
        add("other", url=None, from_file=file)
    assert "must hold" in failure.value.message
    assert "s3cret-word" not in failure.value.message


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("a b", {}, "cannot name a camera"),
        ("x" * 129, {}, "cannot name a camera"),
        ("lobby", {}, "is registered already"),
        ("new", {"url": None}, "needs an address"),
        ("new", {"url": "ftp://h/"}, "begins with rtsp://"),
        ("new", {"url": URL, "user": "viewer"}, "no terminal to ask for the password"),
    ],
)
def test_a_mistake_registers_something(
    account: Any, monkeypatch: pytest.MonkeyPatch, name: str, given: dict[str, Any], said: str
) -> None:
    add()
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(Failure) as failure:
        add(name, **given)
    assert said in failure.value.message
    assert len(account.list_secrets()["SecretList"]) == 1


def test_a_secret_of_somebody_else_is_shown_in_an_error(account: Any) -> None:
    add()
    account.put_secret_value(SecretId="vedette/camera/lobby", SecretString="s3cret-word")
    with pytest.raises(Failure) as failure:
        fetch_cameras(("lobby",), AWS)
    assert "holds something else" in failure.value.message
    assert "s3cret-word" not in failure.value.message


def test_a_camera_of_this_machine_needs_aws(account: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = Place(local=True)
    add(place=local)
    file = tmp_path / "config/vedette/cameras.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert listed(capsys, local)["lobby"] == {"name": "lobby", "url": URL, "login": True}
    with pytest.raises(Failure, match="known already"):
        add(place=local)
    update_camera("lobby", Given(url="rtsp://10.0.0.9/x"), local, {}, as_json=False)
    assert json.loads(file.read_text()) == {
        "lobby": {"Username": "viewer", "Password": "s3cret-word", "StreamUrl": "rtsp://10.0.0.9/x"}
    }
    remove_camera("lobby", local, delete_secret=False, as_json=False)
    with pytest.raises(Failure, match="has no camera"):
        remove_camera("lobby", local, delete_secret=False, as_json=False)
    assert account.list_secrets()["SecretList"] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example with an override that names cameras as Panorama's console did."""
    source = examples_dir() / "people-counter"
    folder = shutil.copytree(source, tmp_path / "people-counter", ignore=shutil.ignore_patterns(".vedette"))
    names = ("lobby", "yard")
    document = {
        "envelopeVersion": "2021-01-01",
        "packages": [{"name": f"999999999999::{name}", "version": "1.0"} for name in names],
        "nodes": [{"name": f"my_{name}", "interface": f"999999999999::{name}.{name}"} for name in names],
        "nodeOverrides": [{"replace": "camera_node", "with": [{"name": f"my_{name}"} for name in names]}],
    }
    override = folder / "graphs/people-counter/cameras.json"
    override.write_text(json.dumps({"nodeGraphOverrides": document}))
    return override


def test_an_override_does_not_find_a_registered_camera(
    account: Any, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add()
    add("yard", url="rtsp://10.0.0.3/yard")
    registered = {camera.name: camera.source() for camera in AWS.registry().cameras()}
    resolution = resolve(load_project(project.parents[2]), [project], registered=registered)
    assert resolution.application is not None, resolution.findings
    lobby, yard = resolution.application.configuration().cameras["camera_node"]
    assert (lobby.url, lobby.secret) == ("", "vedette/camera/lobby"), "the address comes from the secret"
    assert (yard.url, yard.secret) == ("rtsp://10.0.0.3/yard", None), "no login, no secret"
    # And for a local run, from this user's file.
    fetch_cameras((), AWS)
    options = RunOptions(directory=project.parents[2], overrides=(project,))
    compiled = application.compile_project(options, {}, Terminal())
    assert compiled.secrets == {"lobby": {"Username": "viewer", "Password": "s3cret-word", "StreamUrl": URL}}
    compiled = application.compile_project(options, {}, Terminal(), secrets_of_account=True)
    assert list(compiled.secrets) == ["vedette/camera/lobby"]
    assert "s3cret-word" not in json.dumps(compiled.compiled.configuration)


def test_a_deployment_takes_an_old_copy_of_a_camera_or_reads_its_password(account: Any, project: Path) -> None:
    """The account goes before this user's file, and is asked once; a camera of neither is named with all there are."""
    add()
    add("yard", url="rtsp://10.0.0.3/yard")
    add(place=Place(local=True), url="rtsp://old@10.0.0.1/1")
    add("shed", place=Place(local=True), url="rtsp://10.0.0.4/shed")
    cameras = AccountCameras(AWS.registry())
    options = RunOptions(directory=project.parents[2], overrides=(project,))
    compiled = application.compile_project(options, {}, Terminal(), secrets_of_account=True, registered=cameras)
    attached = compiled.compiled.configuration["cameras"]["camera_node"]
    assert [camera["secret"] for camera in attached if "secret" in camera] == ["vedette/camera/lobby"]
    assert compiled.secrets == {}, "the value is the account's"
    options = RunOptions(directory=project.parents[2], cameras=("camera_node=lobby", "camera_node=shed"))
    compiled = application.compile_project(options, {}, Terminal(), secrets_of_account=True, registered=cameras)
    attached = compiled.compiled.configuration["cameras"]["camera_node"]
    assert [(camera["name"], camera.get("secret")) for camera in attached] == [
        ("lobby", "vedette/camera/lobby"),
        ("shed", "vedette/camera/shed"),
    ]
    with pytest.raises(Failure) as failure:
        options = RunOptions(directory=project.parents[2], cameras=("camera_node=none",))
        application.compile_project(options, {}, Terminal(), registered=cameras)
    assert failure.value.hint == "known cameras: lobby, shed, yard"


def test_aws_is_asked_for_cameras_that_nobody_names(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = AWS.registry()
    monkeypatch.setattr(registry, "cameras", lambda: pytest.fail("asked"))
    options = RunOptions(directory=project.parents[2], cameras=(f"camera_node={URL}",))
    application.compile_project(options, {}, Terminal(), registered=AccountCameras(registry))


def test_an_unknown_camera_is_not_told_which_are_known(project: Path) -> None:
    add("yard", url=URL)
    registered = {camera.name: camera.source() for camera in AWS.registry().cameras()}
    found = resolve(load_project(project.parents[2]), [project], registered=registered).findings
    (finding,) = (item for item in found if item.code == "V046")
    assert 'node "my_lobby"' in finding.message
    assert "known cameras: yard" in finding.hint


def test_the_region_that_every_tool_reads_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert Cloud().region == "ap-southeast-2"
    assert Cloud(region="eu-west-1").region == "eu-west-1"


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("local", [False, True])
def test_certificate_of_a_camera_is_lost_or_its_key_taken(
    account: Any, tmp_path: Path, local: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(local=True, cameras_file=tmp_path / "cameras.json") if local else AWS
    file = tmp_path / "camera.pem"
    file.write_text(f"subject=CN = camera\n{CERTIFICATE}")
    add(place=place, url="rtsps://10.0.0.21/stream1", certificate=file)

    def value() -> Any:
        return json.loads((tmp_path / "cameras.json").read_text())["lobby"] if local else secret(account)

    assert value()["Certificate"] == CERTIFICATE
    update_camera("lobby", Given(about="at the door"), place, {}, as_json=False)
    assert value()["Certificate"] == CERTIFICATE
    if not local:
        # Without a login too it is reached by its secret, where the certificate lies.
        assert AccountCameras(place.registry())["lobby"].secret == "vedette/camera/lobby"
    file.write_text(f"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n{CERTIFICATE}")
    with pytest.raises(Failure, match="certificate alone"):
        update_camera("lobby", Given(certificate=file), place, {}, as_json=False)
    file.write_text(CERTIFICATE)
    with pytest.raises(Failure, match="rtsps"):
        add("gate", place, url=URL, certificate=file)


def test_small_stream_is_lost_by_an_update_or_shown_to_who_deploys_without_its_login(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "rtsp://10.0.0.21/stream2"
    add(sub=small, sub_missing="main")
    assert secret(account)["SubStreamUrl"] == small
    assert listed(capsys)["lobby"]["sub"] == small
    source = AccountCameras(AWS.registry())["lobby"]
    assert (source.url, source.sub, source.sub_missing) == ("", "", "main"), "both addresses are in the secret"
    assert update_camera("lobby", Given(about="at the door"), AWS, {}, as_json=False) == 0
    assert secret(account)["SubStreamUrl"] == small
    fetch_cameras(("lobby",), AWS)
    known = json.loads((Path(os.environ["XDG_CONFIG_HOME"]) / "vedette" / "cameras.json").read_text())["lobby"]
    assert (known["SubStreamUrl"], known["SubMissing"]) == (small, "main")
    assert update_camera("lobby", Given(sub=""), AWS, {}, as_json=False) == 0
    assert "SubStreamUrl" not in secret(account)
    assert AccountCameras(AWS.registry())["lobby"].sub is None


def test_small_stream_takes_another_login_than_the_main_one() -> None:
    with pytest.raises(Failure, match="another login"):
        add(sub="rtsp://other:word@10.0.0.21/stream2")
    with pytest.raises(Failure, match="--sub-missing is for a camera with a small stream"):
        add(sub_missing="main")
    with pytest.raises(Failure, match="takes wait or main"):
        add(sub="rtsp://10.0.0.21/stream2", sub_missing="never")
