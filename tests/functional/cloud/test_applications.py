"""What a script that called Panorama's API calls now, against a service that checks: deployed applications."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vedette.application.shadow import shadow_name
from vedette.cli.deploy import DeployOptions
from vedette.cli.deploy import deploy as deploy_command
from vedette.cli.failure import Failure
from vedette.cli.main import app
from vedette.cli.terminal import Terminal
from vedette.cloud.cameras import CameraRegistry, Login
from vedette.cloud.panorama_words import JOB_PROGRESS, STATUS, progress_of, status_of

from .conftest import Aws

RECORDER = Path(__file__).parents[2] / "fixtures" / "applications" / "recorder"
OVERRIDE = (
    b'{"nodeGraphOverrides": {"envelopeVersion": "2021-01-01",\r\n  '
    b'"packages": [], "nodes": [], "nodeOverrides": []}}\n'
)
ROLE = "arn:aws:iam::123456789012:role/counter"


def vedette(*arguments: str, code: int = 0) -> str:
    """Run a command; return what it wrote to standard output."""
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, Failure):
        assert done.exception.exit_code == code, done.exception.message
        return done.exception.message
    assert done.exit_code == code, (arguments, done.output, done.exception)
    return done.stdout


def answer(*arguments: str, code: int = 0) -> Any:
    return json.loads(vedette(*arguments, "--json", code=code))


def deploy(**options: Any) -> None:
    options = {"cameras": ["camera_node=rtsp://10.0.0.21/stream1"], "monitor": False, **options}
    command = DeployOptions(**options, yes=True, wait=False)
    assert deploy_command(command, {}, Terminal(io.StringIO(), {"NO_COLOR": "1"})) == 0


@pytest.fixture
def override(tmp_path: Path) -> Path:
    path = tmp_path / "override.json"
    path.write_bytes(OVERRIDE)
    return path


@pytest.fixture
def deployed(aws: Aws, suite: str, override: Path, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Deploy the recorder to a group of three devices, and under another name to a thing."""
    # boto3 takes longer to make its clients than commands to use them.
    monkeypatch.setattr("vedette.cloud.Cloud", lambda **_: aws.cloud())
    aws.group("shop", 3)
    aws.thing("bench")
    deploy(
        directories=[RECORDER],
        targets=["thing-group/shop"],
        overrides=[override],
        role=ROLE,
        description="Zähler, Eingang",
        tags=["team=shops"],
    )
    deploy(directories=[RECORDER], targets=["thing/bench"], instance="on-bench")
    return aws


def test_the_documents_of_an_instance_are_not_those_that_were_deployed(deployed: Aws, tmp_path: Path) -> None:
    graph = (RECORDER / "graphs" / "recorder" / "graph.json").read_bytes()
    done = CliRunner().invoke(app, ["application", "manifest", "recorder"])
    assert done.stdout_bytes == graph
    done = CliRunner().invoke(app, ["application", "manifest", "recorder", "--overrides"])
    assert done.stdout_bytes == OVERRIDE
    vedette("application", "manifest", "recorder", "-o", str(tmp_path / "out"))
    assert (tmp_path / "out" / "graphs" / "recorder" / "graph.json").read_bytes() == graph
    assert (tmp_path / "out" / "override.json").read_bytes() == OVERRIDE
    assert "0 of these" in vedette("application", "manifest", "on-bench", "--overrides", code=1)


def test_an_instance_is_not_listed_as_panorama_listed_it(deployed: Aws) -> None:
    deployed.stand_in.fleet.work()
    listed = {item["name"]: item for item in answer("application", "list")["applications"]}
    assert {name: (i["target"], i["status"]) for name, i in listed.items()} == {
        "recorder": ("thing-group/shop", "DEPLOYMENT_SUCCEEDED"),
        "on-bench": ("thing/bench", "DEPLOYMENT_SUCCEEDED"),
    }
    assert listed["recorder"]["status_description"] == "Application deployed successfully."
    assert listed["recorder"]["description"] == "Zähler, Eingang"
    names = [item["name"] for item in answer("application", "list", "--device", "bench")["applications"]]
    assert names == ["on-bench"]
    deploy(directories=[], cameras=[], targets=["thing/bench"], remove=["on-bench"])
    assert [item["name"] for item in answer("application", "list")["applications"]] == ["recorder"]
    deployed.stand_in.fleet.work()
    removed = answer("application", "list", "--all", "--status", "REMOVAL_SUCCEEDED")["applications"]
    assert [item["name"] for item in removed] == ["on-bench"]
    # What was removed can still be read.
    assert answer("application", "manifest", "on-bench")["documents"]


def test_a_field_of_describe_application_instance_has_no_source(deployed: Aws) -> None:
    told = answer("application", "describe", "recorder")["application"]
    assert (told["status"], told["role"], told["tags"]) == ("DEPLOYMENT_SUCCEEDED", ROLE, {"team": "shops"})
    assert told["cameras"] == {"camera_node": ["camera_node"]}
    assert told["devices"] == {"succeeded": 3}
    assert "health_status" not in told  # no device was named
    deployed.stand_in.fleet.work()
    state = {
        "state": {
            "desired": {"cameras": {"camera_node": "PAUSE"}},
            "reported": {"cameras": {"camera_node": "PAUSE"}, "logLevel": "INFO"},
        }
    }
    shadows = deployed.client("iot-data")
    shadows.update_thing_shadow(thingName="bench", shadowName=shadow_name("on-bench"), payload=json.dumps(state))
    health: dict[str, Any] = {"instance": "on-bench", "health": "ERROR", "state": "crashed", "detail": "exit code 1"}
    health["nodes"] = {"code_node": "ERROR", "camera_node": "PAUSED", "output_node": "NOT_AVAILABLE"}
    report = {"state": {"reported": {"applications": [health]}}}
    shadows.update_thing_shadow(thingName="bench", shadowName="vedette:health", payload=json.dumps(report))
    told = answer("application", "describe", "on-bench")["application"]
    assert (told["device"], told["health_status"], told["health_detail"]) == ("bench", "ERROR", "exit code 1")
    assert (told["installed_version"], told["component_state"]) == (told["version"], "RUNNING")
    assert told["runtime_state"] == {"desired": state["state"]["desired"], "reported": state["state"]["reported"]}
    nodes = answer("application", "nodes", "on-bench")["nodes"]
    assert {node["node_name"]: node["current_status"] for node in nodes} == health["nodes"]
    assert set(nodes[0]) == {
        "node_instance_id", "node_id", "package_name", "package_version", "node_name", "current_status"
    }  # fmt: skip
    code = next(node for node in nodes if node["node_name"] == "code_node")
    assert (code["package_name"], code["package_version"]) == ("RECORDER", "1.0")
    assert "is on 3 devices" in vedette("application", "nodes", "recorder", code=1)
    silent = answer("application", "nodes", "recorder", "--device", "shop-0001")["nodes"]
    assert {node["current_status"] for node in silent} == {"NOT_AVAILABLE"}
    told = answer("application", "dependencies", "on-bench", "--device", "bench")["dependencies"]
    by_name = {item["name"]: item for item in told}
    own = by_name["vedette.app.on-bench"]
    assert own["kind"] == "application"
    assert own["installed"] == own["version"]
    assert by_name["vedette.CameraIngest"]["version"] == "0.1.0"
    assert all(item["installed"] == item["version"] for item in told)


def test_the_end_of_a_roll_out_is_not_told_by_the_exit_code(deployed: Aws) -> None:
    deployed.stand_in.fleet.work()
    vedette("application", "wait", "recorder")
    deployed.thing("broken", fails="disk full")
    deploy(directories=[RECORDER], targets=["thing/broken"], instance="on-broken")
    deployed.stand_in.fleet.work()
    assert answer("application", "wait", "on-broken", code=1)["application"]["status"] == "DEPLOYMENT_FAILED"
    deployed.group("away", 1, online=False)
    deploy(directories=[RECORDER], targets=["thing-group/away"], instance="waits")
    assert (
        answer("application", "wait", "waits", "--wait", "0", code=4)["application"]["status"] == "DEPLOYMENT_REQUESTED"
    )


def test_publishing_an_application_leaves_something_for_its_deployment(deployed: Aws) -> None:
    """And needs neither camera nor value: those are the deployment's."""
    told = answer("publish", str(RECORDER), "--name", "later")
    assert told["published"] == ["vedette.app.later"]
    assert answer("publish", str(RECORDER), "--name", "later")["published"] == []
    plan = answer(
        "deploy", str(RECORDER), "--name", "later", "--to", "thing/bench", "--no-monitor", "--plan",
        "--camera", "camera_node=rtsp://10.0.0.21/stream1",
    )["plan"]  # fmt: skip
    assert [item["state"] for item in plan["publish"]] == ["there"]
    assert "no folder" in vedette("publish", "nothing-like-it", code=1)


def test_sites_that_differ_by_their_override_get_other_components(deployed: Aws, tmp_path: Path) -> None:
    """Two devices, two overrides, one component version."""
    for site in ("north", "south"):
        deployed.thing(site)
        CameraRegistry(deployed.cloud()).add(f"gate-{site}", Login(f"rtsp://10.0.0.21/{site}", "viewer", "secret"))
        camera = f"123456789012::gate-{site}.gate-{site}"
        document = {
            "envelopeVersion": "2021-01-01",
            "packages": [{"name": f"123456789012::gate-{site}", "version": "1.0"}],
            "nodes": [{"name": "gate", "interface": camera, "launch": "onAppStart"}],
            "nodeOverrides": [{"replace": "camera_node", "with": [{"name": "gate"}]}],
        }
        override = tmp_path / f"{site}.json"
        override.write_text(json.dumps({"nodeGraphOverrides": document}))
        deploy(directories=[RECORDER], targets=[f"thing/{site}"], cameras=[], overrides=[override], instance="counter")
    places = [item for item in answer("application", "list")["applications"] if item["name"] == "counter"]
    assert [item["target"] for item in places] == ["thing/north", "thing/south"]
    assert len({(item["component"], item["version"]) for item in places}) == 1
    told = [answer("application", "describe", "counter", "--target", item["target"])["application"] for item in places]
    assert [item["cameras"] for item in told] == [{"camera_node": ["gate-north"]}, {"camera_node": ["gate-south"]}]


def test_an_archive_in_s3_does_not_become_a_component(deployed: Aws, tmp_path: Path) -> None:
    archive = tmp_path / "theirs.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in RECORDER.rglob("*"):
            if path.is_file():
                opened.write(path, f"export/recorder/{path.relative_to(RECORDER)}")
    deployed.client("s3").create_bucket(Bucket="from-a-partner")
    deployed.client("s3").upload_file(str(archive), "from-a-partner", "apps/theirs.zip")
    out = tmp_path / "theirs"
    told = answer("import", "s3://from-a-partner/apps/theirs.zip", "--out", str(out))
    assert told["packages"] == [{"name": "RECORDER", "version": "1.0"}]
    assert told["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert answer("publish", str(out))["published"] == ["vedette.app.theirs"]
    broken = answer("import", "s3://from-a-partner/apps/none.zip", code=1)
    assert "NoSuchKey" in broken["error"]


@pytest.mark.parametrize(
    ("devices", "removed", "expected"),
    [
        ({}, False, "DEPLOYMENT_PENDING"),
        ({"queued": 3}, False, "DEPLOYMENT_REQUESTED"),
        ({"queued": 2, "succeeded": 1}, False, "DEPLOYMENT_IN_PROGRESS"),
        ({"in_progress": 1}, False, "DEPLOYMENT_IN_PROGRESS"),
        ({"succeeded": 3}, False, "DEPLOYMENT_SUCCEEDED"),
        ({"succeeded": 2, "failed": 1}, False, "DEPLOYMENT_FAILED"),
        ({"canceled": 1}, False, "DEPLOYMENT_ERROR"),
        ({}, True, "REMOVAL_PENDING"),
        ({"queued": 1}, True, "REMOVAL_REQUESTED"),
        ({"in_progress": 1}, True, "REMOVAL_IN_PROGRESS"),
        ({"succeeded": 1}, True, "REMOVAL_SUCCEEDED"),
        ({"timed_out": 1}, True, "REMOVAL_FAILED"),
    ],
)
def test_a_state_has_another_word_than_panoramas(devices: dict[str, int], removed: bool, expected: str) -> None:
    assert status_of(devices, removed=removed) == expected
    assert STATUS[expected]


def test_a_state_of_a_job_has_no_word() -> None:
    states = ("QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED")
    assert set(states) <= JOB_PROGRESS.keys()
    assert {progress_of(state) for state in states} == {"PENDING", "IN_PROGRESS", "COMPLETED", "FAILED"}
    assert progress_of("IN_PROGRESS", reboot=True) == "REBOOTING"
