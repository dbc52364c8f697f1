"""Nucleus lite has no secrets: they come from AWS, and from an encrypted file while there is no connection."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from vedette.aws_calls import AwsError, Denied, NoCredentials, Rejected, Unreachable
from vedette.bus import NotFound, NotSupported
from vedette.bus.memory import MemoryBus
from vedette.secrets import SecretReader
from vedette.secrets.cache import KEEP_S, SecretCache
from vedette.secrets.cloud import CloudSecrets

PLANTED = "planted-p@ssword-4711"


class Lite(MemoryBus):
    def get_secret(self, secret_id: str, *, fresh: bool = False) -> str:
        raise NotSupported("this nucleus does not offer it: secret")


class Aws:
    """Secrets Manager."""

    def __init__(self) -> None:
        self.secrets = {"cam": PLANTED}
        self.asked = 0
        self.error: AwsError | None = None
        self.hold = threading.Event()
        self.hold.set()

    def call_json(self, action: str, target: str, content: dict[str, Any]) -> dict[str, Any]:
        assert (action, target) == ("secretsmanager:GetSecretValue", "secretsmanager.GetSecretValue")
        self.asked += 1
        self.hold.wait(30)
        if self.error is not None:
            raise self.error
        if content["SecretId"] not in self.secrets:
            raise Rejected("secretsmanager:GetSecretValue: ResourceNotFoundException")
        return {"SecretString": self.secrets[content["SecretId"]]}


class Rig:
    def __init__(self, folder: Path, bus: MemoryBus) -> None:
        self.now = 0.0
        self.aws = Aws()
        self.path = folder / "secrets"
        self.bus = bus
        self.restart()

    def restart(self) -> None:
        self.reader = SecretReader(
            self.bus,
            self.path,
            environ={},
            clock=lambda: self.now,
            caller=self.aws,  # type: ignore[arg-type]
        )


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    with Lite() as bus:
        yield Rig(tmp_path, bus)


def test_a_camera_with_a_login_does_not_work_on_nucleus_lite(rig: Rig) -> None:
    assert rig.reader.get("cam") == PLANTED
    assert rig.reader.get("cam") == PLANTED
    assert rig.aws.asked == 1
    rig.now += 301
    rig.reader.get("cam")
    assert rig.aws.asked == 2


def test_a_rotated_password_waits_for_a_deployment(rig: Rig) -> None:
    rig.reader.get("cam")
    rig.aws.secrets["cam"] = "new"
    assert rig.reader.get("cam") == PLANTED
    assert rig.reader.get("cam", refused=True) == "new"
    for _ in range(20):
        rig.now += 2
        rig.reader.get("cam", refused=True)
    assert rig.aws.asked == 2  # a camera that refuses everything costs a question a minute
    rig.now += 30
    rig.reader.get("cam", refused=True)
    assert rig.aws.asked == 3


def test_a_start_without_a_connection_has_no_passwords(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.reader.get("cam")
    eventually(rig.path.exists, "the secret is kept")
    rig.aws.error = Unreachable("no route to host")
    rig.restart()
    assert rig.reader.get("cam") == PLANTED
    asked = rig.aws.asked
    with pytest.raises(Unreachable, match="no route"):
        rig.reader.get("other")
    assert rig.aws.asked == asked  # AWS was just found out of reach
    rig.now += 11
    with pytest.raises(Unreachable):
        rig.reader.get("other")
    assert rig.aws.asked == asked + 1
    assert PLANTED not in caplog.text


@pytest.mark.parametrize("error", [Denied("the role may not"), Rejected("gone")])
def test_a_secret_that_was_taken_away_is_used_on(rig: Rig, error: AwsError) -> None:
    rig.reader.get("cam")
    rig.aws.error = error
    rig.now += 301
    with pytest.raises(type(error)):
        rig.reader.get("cam")


def test_the_password_lies_on_the_disk(rig: Rig) -> None:
    rig.reader.get("cam")
    eventually(rig.path.exists, "the secret is kept")
    for file in rig.path.parent.iterdir():
        assert PLANTED.encode() not in file.read_bytes()
        assert b"cam" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_kept_secret_is_kept_for_ever_or_for_others(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    machine = tmp_path / "machine-id"
    machine.write_text("a" * 32)
    cache = SecretCache(tmp_path / "secrets", wall=lambda: now[0], machine_id=machine)
    cache.store("cam", PLANTED)
    cache.store("other", "x")
    assert cache.load("cam") == PLANTED
    assert cache.load("none") is None
    now[0] = 100.0  # the clock is not set yet
    assert cache.load("cam") == PLANTED
    now[0] = 1_800_000_000.0 + KEEP_S + 1
    assert cache.load("cam") is None
    now[0] = 1_800_000_000.0
    machine.write_text("b" * 32)
    assert cache.load("cam") is None  # copied to another machine
    machine.write_text("a" * 32)
    entries = json.loads(cache._path.read_text())
    first, second = sorted(entries)
    cache._path.write_text(json.dumps({first: entries[second], second: entries[first]}))
    assert cache.load("cam") is None  # one camera's login given out as another's
    for damage in (b"", b"[]", b"{", json.dumps({first: "!!"}).encode()):
        cache._path.write_bytes(damage)
        assert cache.load("cam") is None
    (tmp_path / "secrets.key").write_bytes(b"short")
    cache.store("cam", PLANTED)
    assert cache.load("cam") == PLANTED


def test_a_disk_that_takes_nothing_ends_the_reader(tmp_path: Path) -> None:
    cache = SecretCache(tmp_path / "missing/folder/secrets")
    cache.store("cam", PLANTED)
    assert cache.load("cam") is None


def test_aws_without_an_answer_holds_the_cameras_up(tmp_path: Path) -> None:
    aws = Aws()
    aws.hold.clear()
    secrets = CloudSecrets(aws, None, answer_s=0.05)  # type: ignore[arg-type]
    with pytest.raises(Unreachable, match="not answered"):
        secrets.get("cam", fresh=False)
    aws.hold.set()
    deadline = threading.Event()
    for _ in range(600):
        try:
            assert secrets.get("cam", fresh=False) == PLANTED
            break
        except Unreachable:
            deadline.wait(0.05)
    assert aws.asked == 1


def test_a_secret_manager_that_is_there_is_passed_by(tmp_path: Path) -> None:
    with MemoryBus(secrets={"cam": "local"}) as bus:
        reader = SecretReader(bus, tmp_path / "secrets", environ={})
        assert reader.get("cam") == "local"
        with pytest.raises(NotFound):
            reader.get("other")
    assert not list(tmp_path.iterdir())


def test_no_credentials_are_not_told(tmp_path: Path) -> None:
    with Lite() as bus, pytest.raises(NoCredentials, match="TokenExchangeService"):
        SecretReader(bus, tmp_path / "secrets", environ={}).get("cam")


def test_a_camera_of_another_groups_application_has_no_login(tmp_path: Path) -> None:
    with MemoryBus() as bus:  # its secret manager lists nothing
        rig = Rig(tmp_path, bus)
        assert rig.reader.get("cam") == PLANTED
        with pytest.raises(NotFound, match="nor does AWS give it"):
            rig.reader.get("other")
        here = SecretReader(bus, environ={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
        with pytest.raises(NotFound) as caught:
            here.get("cam")
        assert "AWS" not in str(caught.value)
