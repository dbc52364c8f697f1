"""Jobs for devices from the command line: asked for once, followed to their end, told with an exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from vedette.cli.device import Caller
from vedette.cli.device_jobs import Bundles, Following, diagnose, doctor, reboot, show_job
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal

from .conftest import Aws

CALLER = Caller(as_json=True, yes=True)
FOLLOW = Following(limit_s=30.0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.cloud.jobs.PERIOD_S", 0.01)


class Said:
    """What a command has written."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._out = self._err = ""

    @property
    def document(self) -> dict[str, Any]:
        self._read()
        found: dict[str, Any] = json.loads(self._out)
        return found

    @property
    def words(self) -> str:
        self._read()
        return self._err

    def _read(self) -> None:
        more = self._capsys.readouterr()
        self._out, self._err = self._out + more.out, self._err + more.err


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def test_what_the_doctor_finds_is_not_told(aws: Aws, said: Said) -> None:
    does = {"checks": "12", "wrong": "1", "finding1": "sandbox: bubblewrap is missing apt install bubblewrap"}
    aws.thing("shop-01", does=does)
    assert doctor(["thing/shop-01"], FOLLOW, CALLER, Terminal()) == 0
    assert said.document["outcome"] == "succeeded"
    assert said.document["devices"] == [{"device": "shop-01", "status": "SUCCEEDED", "details": does}]
    assert "checks 12, wrong 1" in said.words
    assert "bubblewrap is missing" in said.words


@pytest.mark.parametrize(
    ("fails", "code", "outcome"),
    [([False, True], 4, "partly"), ([True, True], 1, "failed"), ([False, False], 0, "succeeded")],
)
def test_a_failure_ends_as_if_all_were_well(aws: Aws, said: Said, fails: list[bool], code: int, outcome: str) -> None:
    group = aws.group("shop")
    for number, wrong in enumerate(fails):
        reason = "the user of components may not restart the machine" if wrong else ""
        aws.stand_in.fleet.add_devices([f"shop-{number}"], [group.arn], fails=reason)
    assert reboot(["thing-group/shop"], FOLLOW, CALLER, Terminal()) == code
    assert said.document["outcome"] == outcome
    assert ("may not restart" in said.words) == any(fails)


def test_a_device_that_is_away_is_waited_for_without_end(aws: Aws, said: Said) -> None:
    aws.thing("shop-01", online=False)
    assert reboot(["shop-01"], Following(limit_s=0.0), CALLER, Terminal()) == 0
    assert said.document["outcome"] == "waiting"
    assert "done when they are back" in said.words
    aws.stand_in.fleet.devices["shop-01"].online = True
    assert show_job(said.document["job_id"], FOLLOW, Caller(), Terminal(), cancel=False) == 0
    assert [e.status for e in aws.stand_in.fleet.devices["shop-01"].executions.values()] == ["SUCCEEDED"]


def test_a_withdrawn_job_is_done_all_the_same(aws: Aws, said: Said) -> None:
    aws.thing("shop-01", online=False)
    assert reboot(["shop-01"], Following(wait=False), CALLER, Terminal()) == 0
    job_id = said.document["job_id"]
    assert show_job(job_id, FOLLOW, Caller(yes=True), Terminal(), cancel=True) == 1
    aws.stand_in.fleet.devices["shop-01"].online = True
    aws.stand_in.fleet.work()
    assert aws.stand_in.fleet.devices["shop-01"].executions[job_id].status == "CANCELED"


def test_a_bundle_is_not_fetched_or_another_one(aws: Aws, said: Said, tmp_path: Path) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bundles-of-tests")
    key = "diagnostics/shop-01/20270115T080000Z-job-1.zip"
    s3.put_object(Bucket="bundles-of-tests", Key=key, Body=b"PK bundle")
    aws.thing("shop-01", does={"bucket": "bundles-of-tests", "key": key})
    bundles = Bundles("bundles-of-tests", pictures=True, out=tmp_path)
    assert diagnose(["shop-01"], bundles, FOLLOW, CALLER, Terminal()) == 0
    job = aws.stand_in.fleet.jobs[said.document["job_id"]]
    assert json.loads(job.document) == {"operation": "DIAGNOSTICS", "bucket": "bundles-of-tests", "pictures": True}
    (path,) = tmp_path.iterdir()
    assert (path.name, path.read_bytes()) == ("shop-01-20270115T080000Z-job-1.zip", b"PK bundle")


def test_a_folder_that_is_none_is_found_out_after_the_work(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is no folder"):
        diagnose(["shop-01"], Bundles(out=tmp_path / "none"), FOLLOW, CALLER, Terminal())
    with pytest.raises(Failure, match="has to wait"):
        diagnose(["shop-01"], Bundles(out=tmp_path), Following(wait=False), CALLER, Terminal())
