"""Publish and deploy cut off at any call, and begun again: the end is that of a run that nothing disturbed.

``VEDETTE_FAULTS=500`` tries so many places and kinds of faults; a handful is tried otherwise.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from vedette.cloud import Cloud, CloudError
from vedette.cloud import bucket as bucket_module
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.carrying_out import carry_out
from vedette.cloud.planning import Application, Order, make_plan, plan_target

from .conftest import Aws, order, publish_suite
from .test_deploying import Silent

KILLS = int(os.environ.get("VEDETTE_KILLS", "2"))
RECORDER = Path(__file__).parents[2] / "fixtures" / "applications" / "recorder"
COUNT = int(os.environ.get("VEDETTE_FAULTS", "8"))
SEED = int(os.environ.get("VEDETTE_FAULTS_SEED", "20260531"))
KINDS = (
    "throttled",
    "server error",
    "no connection",
    "answer lost",
    "error after work",
    "killed before",
    "killed after",
)


class Killed(BaseException):
    """The process ends at this point, as far as what it leaves behind is concerned."""


class Faulty(Cloud):
    """A caller that meets faults from the n-th call on, for so many calls of the same operation."""

    def __init__(self, healthy: Cloud) -> None:
        super().__init__(wait=lambda _: None)
        self._healthy = healthy
        self.count = 0
        self.at, self.kind, self.times = 0, "", 0
        self.struck: tuple[str, str] | None = None

    def _client(self, service: str) -> Any:
        return _Faulty(self, service, self._healthy._client(service))


class _Faulty:
    def __init__(self, owner: Faulty, service: str, client: Any) -> None:
        self._owner, self._service, self._client = owner, service, client

    def __getattr__(self, operation: str) -> Any:
        method, owner, call = getattr(self._client, operation), self._owner, (self._service, operation)

        def run(**arguments: Any) -> Any:
            owner.count += 1
            if owner.count >= owner.at > 0 and owner.struck in {None, call} and owner.times > 0:
                owner.struck = call
                owner.times -= 1
                return strike(owner.kind, lambda: method(**arguments))
            return method(**arguments)

        return run


def strike(kind: str, work: Callable[[], Any]) -> Any:
    if kind == "throttled":
        raise ClientError({"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 429}}, "x")
    if kind == "server error":
        raise ClientError(
            {"Error": {"Code": "InternalServerException"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "x"
        )
    if kind == "no connection":
        raise ConnectTimeoutError(endpoint_url="https://x")
    if kind == "killed before":
        raise Killed
    # The service does its work, and the caller does not hear of it.
    with suppress(ClientError):
        work()
    if kind == "answer lost":
        raise ReadTimeoutError(endpoint_url="https://x")
    if kind == "error after work":
        raise ClientError({"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "x")
    raise Killed


def run(cloud: Cloud, wanted: Order) -> None:
    plan = make_plan(cloud, wanted, Bucket(cloud, default_bucket(cloud)))

    def again(target: Any, current: Any, arns: Any) -> Any:
        return plan_target(plan.order, target, current, arns, plan.aws)

    if plan.changed:
        carry_out(cloud, Bucket(cloud, default_bucket(cloud)), plan, again, Silent())


def state(aws: Aws) -> dict[str, Any]:
    """Return everything that a run leaves, without what differs between any two runs: ids, times, random suffixes."""
    s3, secrets = aws.client("s3"), aws.client("secretsmanager")
    name = default_bucket(aws.cloud())
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=name).get("Contents", ())]
    listed = secrets.list_secrets()["SecretList"]
    arns = {item["ARN"]: f"<{item['Name']}>" for item in listed}

    def plain(value: Any) -> str:
        text = json.dumps(value, sort_keys=True, default=str)
        for arn, word in arns.items():
            text = text.replace(arn, word)
        return text

    return {
        "objects": sorted(key for key in keys if not key.startswith("targets/")),
        "open uploads": len(s3.list_multipart_uploads(Bucket=name).get("Uploads", ())),
        "records": {
            key: plain(json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read()))
            for key in keys
            if key.startswith("instances/")
        },
        "secrets": {item["Name"]: secrets.get_secret_value(SecretId=item["ARN"])["SecretString"] for item in listed},
        "versions": {
            made.arn: (plain(made.text), made.tags)
            for component in aws.stand_in.components.list_components("PRIVATE")
            for made in aws.stand_in.components.versions(component["componentName"])
        },
        "deployments": [
            (
                *(made[key] for key in ("targetArn", "revisionId", "isLatestForTarget")),
                plain(made["components"]),
                plain(made["deploymentPolicies"]),
            )
            for made in aws.stand_in.fleet.deployments.values()
        ],
    }


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an artifact that goes up in two parts."""
    monkeypatch.setattr(bucket_module, "PART_BYTES", 5 << 20)
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model.onnx"), random.Random(1).randbytes((5 << 20) + 1000))
    return path


@pytest.mark.timeout(60 + 12 * COUNT)
def test_a_run_that_was_cut_off_ends_in_another_state(
    aws: Aws, make_application: Callable[..., Application], large: Path, tmp_path: Path
) -> None:
    first = make_application("first", "lobby", "gate")
    second = make_application("second", "lobby", "dock", threshold=5)
    (component,) = second.publishables
    document = json.loads(json.dumps(component.recipe))
    document["Manifests"][0]["Artifacts"].append({"URI": f"s3://BUCKET_NAME/x/1/{large.name}", "Unarchive": "ZIP"})
    with_model = type(component)(component.name, component.version, document, (*component.artifacts, large))
    second = type(second)(
        second.instance, (with_model,), second.components, second.secrets, second.values, second.record
    )
    healthy = aws.cloud()

    def begin() -> Order:
        requests.post(f"{aws.endpoint}/moto-api/reset", timeout=30).raise_for_status()
        aws.stand_in.reset()
        publish_suite(healthy, tmp_path / "suite")
        group = aws.group("shop")
        run(healthy, order(first, to=[group]))
        # The lobby camera's password has changed since.
        aws.client("secretsmanager").put_secret_value(SecretId="vedette/camera/lobby", SecretString="{}")
        return order(second, to=[group], on_failure="DO_NOTHING", remove=("first",))

    wanted = begin()
    undisturbed = Faulty(healthy)
    run(undisturbed, wanted)
    expected = state(aws)
    assert expected["deployments"][-1][1] == "2"
    chance = random.Random(SEED)
    failed = 0
    for number in range(COUNT):
        wanted = begin()
        faulty = Faulty(healthy)
        faulty.at = chance.randint(1, undisturbed.count)
        faulty.kind = KINDS[number % len(KINDS)]
        faulty.times = 1 if faulty.kind.startswith("killed") else chance.randint(1, 10)
        told = f"trial {number}: {faulty.kind} at call {faulty.at}, {faulty.times} times"
        try:
            run(faulty, wanted)
        except (CloudError, Killed):
            failed += 1
            run(healthy, wanted)
        assert state(aws) == expected, f"{told}, struck {faulty.struck}"
    sys.stdout.write(f"{COUNT} faults in {undisturbed.count} calls: {failed} runs failed and were run again\n")


def killed_after(seconds: float, how: signal.Signals, *arguments: str) -> int:
    """Run the real command and end it after so many seconds; return its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vedette.cli.entry", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
        return process.wait(30)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_a_command_that_was_ended_leaves_another_state(aws: Aws, tmp_path: Path) -> None:
    """``VEDETTE_KILLS=40`` ends the real command so often, by SIGKILL and Ctrl-C in turn, at any moment of its run."""
    deploy = (
        "deploy", str(RECORDER), "--to", "thing-group/shop", "--yes", "--no-wait", "--no-monitor",
        "--camera", "camera_node=rtsp://viewer:pass@10.0.0.21/stream1",
    )  # fmt: skip

    def begin() -> None:
        requests.post(f"{aws.endpoint}/moto-api/reset", timeout=30).raise_for_status()
        aws.stand_in.reset()
        publish_suite(aws.cloud(), tmp_path / "suite")
        aws.group("shop")

    begin()
    started = time.monotonic()
    assert killed_after(100, signal.SIGKILL, *deploy) == 0
    took, expected = time.monotonic() - started, state(aws)
    assert len(expected["deployments"]) == 1
    chance = random.Random(SEED)
    ended = []
    for number in range(KILLS):
        begin()
        how = (signal.SIGKILL, signal.SIGINT)[number % 2]
        ended.append(killed_after(chance.uniform(0.3, 1.0) * took, how, *deploy))
        assert killed_after(100, how, *deploy) == 0
        assert state(aws) == expected, f"trial {number}: {how.name}, {ended[-1]}"
    sys.stdout.write(f"exit codes of {KILLS} runs that were ended: {ended}\n")
    assert set(ended) <= {0, 130, -signal.SIGKILL, -signal.SIGINT}
