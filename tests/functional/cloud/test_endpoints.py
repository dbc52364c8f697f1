"""``vedette endpoints``: what a role's policies and an application's sources add to what every device reaches."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from vedette.cli.failure import Failure
from vedette.cli.main import app

from .conftest import Aws

RECORDER = Path(__file__).parents[2] / "fixtures" / "applications" / "recorder"
TRUST = {"Version": "2012-10-17", "Statement": []}


def listed(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["endpoints", *arguments, "--region", "us-east-1", "--json"])
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    failure = CliRunner().invoke(app, ["endpoints", *arguments, "--region", "us-east-1"]).exception
    assert isinstance(failure, Failure)
    return failure.message


def of_applications(document: Any) -> dict[str, tuple[str | None, str]]:
    return {
        item["hosts"][0]: (item["vpc_endpoint"], item["for"])
        for item in document["endpoints"]
        if item["called_by"] == "application"
    }


def policy(*actions: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_service_that_the_role_allows_is_not_listed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.cloud.Cloud", lambda **_: aws.cloud())
    iam = aws.client("iam")
    role = iam.create_role(RoleName="vedette-app-counter", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="vedette-app-counter", PolicyName="own", PolicyDocument=policy("sns:Publish"))
    attached = iam.create_policy(PolicyName="more", PolicyDocument=policy("kinesis:PutRecord*", "logs:*"))
    iam.attach_role_policy(RoleName="vedette-app-counter", PolicyArn=attached["Policy"]["Arn"])
    denied = iam.create_policy(PolicyName="less", PolicyDocument=policy("sqs:*", effect="Deny"))
    iam.attach_role_policy(RoleName="vedette-app-counter", PolicyArn=denied["Policy"]["Arn"])
    found = listed("--role", role)
    assert of_applications(found) == {
        "sns.us-east-1.amazonaws.com": ("sns", "role vedette-app-counter: sns:Publish"),
        "kinesis.us-east-1.amazonaws.com": ("kinesis-streams", "role vedette-app-counter: kinesis:PutRecord*"),
    }
    # CloudWatch Logs is there already: the device's own.
    assert "logs.us-east-1.amazonaws.com" in [item["hosts"][0] for item in found["endpoints"]]
    assert found["notes"] == []
    assert "does not exist" in refused("--role", role + "x")
    assert "belongs to another account" in refused("--role", role.replace("123456789012", "111122223333"))
    assert "is no ARN of a role" in refused("--role", "counter")


def test_a_service_that_the_sources_call_is_not_listed(tmp_path: Path) -> None:
    project = tmp_path / "counter"
    shutil.copytree(RECORDER, project, ignore=shutil.ignore_patterns(".vedette"))
    (source,) = project.glob("packages/*/src/application.py")
    source.write_text(
        "import boto3\nboto3.client('sns')\nboto3.client('s3')\nboto3.client(NAME)\n" + source.read_text()
    )
    place = f"counter: {source.relative_to(project)}"
    found = listed(str(project))
    assert of_applications(found) == {
        "sns.us-east-1.amazonaws.com": ("sns", f"{place}:2"),
        # In this region boto3 calls the global host, which the device itself does not.
        "s3.amazonaws.com": ("s3", f"{place}:3"),
    }
    assert found["notes"] == [f"which service is called is not written there: {place}:4"]
    assert of_applications(listed()) == {}
    assert "is no Panorama project" in refused(str(tmp_path))


def test_a_policy_is_read_for_more_than_it_says(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(policy("*", "nonesuch:Do", "dynamodb:GetItem"))
    found = listed("--policy", str(file))
    assert list(of_applications(found)) == ["dynamodb.us-east-1.amazonaws.com"]
    assert found["notes"] == [
        "policy.json allows `*`: any service may be called",
        "boto3 knows no service `nonesuch`, its host is not told (policy.json: nonesuch:Do)",
    ]
    file.write_text("{")
    assert "cannot be read: it is no JSON" in refused("--policy", str(file))
    file.write_text("{}")
    assert "this is no policy" in refused("--policy", str(file))


def test_the_accounts_own_hosts_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def reach(places: list[tuple[str, int]]) -> list[Any]:
        from vedette.doctor import Check, State

        asked.extend(places)
        return [
            Check(f"{host}:{port}", State.OK if port == 443 and "sts" not in host else State.FAILED, "found", "fix it")
            for host, port in places
        ]

    monkeypatch.setattr("vedette.cli.endpoints.reach", reach)
    where = {"iotDataEndpoint": "a1b2-ats.iot.us-east-1.amazonaws.com", "iotCredEndpoint": "c3d4.credentials.example"}
    (tmp_path / "config").mkdir()
    document = {"services": {"aws.greengrass.Nucleus": {"configuration": where}}}
    (tmp_path / "config" / "effectiveConfig.yaml").write_text(yaml.safe_dump(document))
    found = listed("--check", "--root", str(tmp_path), code=1)
    assert {("a1b2-ats.iot.us-east-1.amazonaws.com", 8883), ("c3d4.credentials.example", 443)} <= set(asked)
    assert not [host for host, _ in asked if "<" in host]
    assert found["notes"] == ["not tried, since only the account knows it: <bucket>.s3.us-east-1.amazonaws.com"]
    states = {check["name"]: check["state"] for item in found["endpoints"] for check in item["checks"]}
    # 443 of AWS IoT will do, where the nucleus is told so; of others there is one port.
    assert states["a1b2-ats.iot.us-east-1.amazonaws.com:8883"] == "warning"
    assert states["sts.us-east-1.amazonaws.com:443"] == "failed"
    assert listed("--check", "--root", str(tmp_path / "none"), code=1)["notes"][0].endswith(
        "<prefix>-ats.iot.us-east-1.amazonaws.com"
    )
