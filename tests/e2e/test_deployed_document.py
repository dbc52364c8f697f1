"""From a folder to a fleet and back to pictures.

``vedette deploy`` to a simulated group of 1,000 devices; the document that such a device gets, with what was really
published, brings up video on a local nucleus, as the Java nucleus and as nucleus lite.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from moto.server import ThreadedMotoServer
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.logs.setup import uploader

from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3
from vedette.cloud_stand_in.component_store import Fetch

from .suite import EXAMPLES, STREET, VEDETTE
from .waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
GROUPS = "arn:aws:iot:us-east-1:123456789012:thinggroup/"


class Machine:
    """A machine with AWS's stand-ins on it, and a nucleus."""

    def __init__(self, stand_in: StandIn, fetch: Fetch, endpoint: str, folder: Path) -> None:
        self.stand_in, self.fetch, self.folder = stand_in, fetch, folder
        self.environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_GREENGRASSV2": stand_in.url,
            "AWS_ENDPOINT_URL_IOT": stand_in.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "XDG_RUNTIME_DIR": str(folder),
        }

    def vedette(self, *arguments: str | Path, code: int = 0) -> str:
        """Run a command; return what it wrote to standard output."""
        done = subprocess.run(
            [str(VEDETTE), *map(str, arguments)],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def fetch_published(self) -> None:
        """Write recipes and artifacts as a device downloads them."""
        store = self.stand_in.components
        for component in store.list_components("PRIVATE"):
            (made,) = store.versions(component["componentName"])
            name, version = made.recipe.component_name, made.recipe.component_version
            recipe = self.folder / "recipes" / f"{name}-{version}.yaml"
            recipe.parent.mkdir(exist_ok=True)
            recipe.write_text(yaml.safe_dump(dict(made.text), sort_keys=False))
            for artifact in (a for m in made.text["Manifests"] for a in m.get("Artifacts", ())):
                bucket, _, key = artifact["URI"].removeprefix("s3://").partition("/")
                path = self.folder / "artifacts" / name / version / key.rpartition("/")[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                data = self.fetch(bucket, key)
                assert data is not None
                path.write_bytes(data)


@pytest.fixture(scope="module")
def machine(machine_runs_suites: None) -> Iterator[Machine]:
    """Return a machine with the suite published and two thing groups of 1,000 devices."""
    folder = Path(tempfile.mkdtemp(prefix="vedette-e2e-", dir="/tmp"))  # short: sockets lie in there
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    fetch = read_from_s3(endpoint, "us-east-1")
    with StandIn(fetch, upstream=endpoint, pace=1000) as stand_in:
        iot = boto3.client(
            "iot",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        requests.post(f"{endpoint}/moto-api/reset", timeout=30).raise_for_status()
        for group in ("java", "lite"):
            iot.create_thing_group(thingGroupName=group)
            stand_in.fleet.add_devices([f"{group}-{number:04}" for number in range(1000)], [GROUPS + group])
        made = Machine(stand_in, fetch, endpoint, folder)
        made.vedette("publish", "--wheels", "none")
        yield made
    moto.stop()
    shutil.rmtree(folder, ignore_errors=True)


def update(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a device's document in the form of local deployments."""
    found = {
        name: {
            "MERGE": said["configurationUpdate"].get("merge", {}),
            "RESET": said["configurationUpdate"].get("reset", []),
        }
        for name, said in document["components"].items()
        if "configurationUpdate" in said
    }
    # Published without wheels, which would take minutes: the environment is the one of these tests.
    found["vedette.Runtime"] = {"MERGE": {"python": sys.executable}}
    return found


def logs_in_cloudwatch(machine: Machine, root: Path) -> set[tuple[str, str]]:
    """Send what the components have logged as vedette.DeviceMonitor would; return (instance, stream) of all streams."""
    work = root / "sent"
    work.mkdir()
    device = root.parent.name
    made = uploader(
        MonitorConfiguration(logs=True),
        root=root,
        work=work,
        device=device,
        region="us-east-1",
        boot="",
        environ=machine.environ,
        uptime=time.monotonic,
    )
    made.run_once()
    assert made.last_error == ""
    made.close()
    logs = boto3.client(
        "logs",
        endpoint_url=machine.environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    prefix = f"/aws/panorama/devices/{device}"
    return {
        (group["logGroupName"].removeprefix(prefix).rpartition("/")[2], stream["logStreamName"])
        for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        for stream in logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]
    }


@pytest.mark.parametrize("nucleus", ["java", "lite"])
def test_what_a_device_is_sent_brings_up_no_video(machine: Machine, nucleus: str) -> None:
    project = machine.folder / nucleus / "people-counter"
    shutil.copytree(EXAMPLES / "people-counter", project, ignore=shutil.ignore_patterns(".vedette"))
    deploy = (
        "deploy",
        project,
        "--to",
        f"thing-group/{nucleus}",
        "--camera",
        f"camera_node={STREET}",
        "--nucleus",
        nucleus,
    )
    told = json.loads(machine.vedette(*deploy, "--yes", "--json"))
    (outcome,) = told["outcomes"]
    assert (outcome["outcome"], outcome["devices"]) == ("succeeded", {"succeeded": 1000})
    again = json.loads(machine.vedette(*deploy, "--yes", "--json"))
    assert (again["plan"]["changed"], again["deployments"]) == (False, [])
    machine.fetch_published()
    document = machine.stand_in.fleet.device_document(GROUPS + nucleus)
    (machine.folder / "update.json").write_text(json.dumps(update(document)))
    root = machine.folder / nucleus / "root"
    process = subprocess.Popen(
        [str(VEDETTE), "nucleus", "start", "--root", str(root), "--nucleus", nucleus],
        env=machine.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: list(machine.folder.glob("vedette/*/instance.json")), "the nucleus runs", within_s=60.0)
        versions = [f"{name}={said['version']}" for name, said in document["components"].items()]
        machine.vedette(
            "deployment", "create", "--recipe-dir", machine.folder / "recipes",
            "--artifact-dir", machine.folder / "artifacts", "--update-config", f"@{machine.folder / 'update.json'}",
            "--group",
            f"thinggroup/{nucleus}", "--root", root, *(word for text in versions for word in ("--merge", text)),
        )  # fmt: skip

        def pictures() -> bool:
            heard = machine.vedette(
                "pubsub", "sub", "vedette/output/+/status", "--count", "1", "--json", "--root", root
            )
            status = json.loads(json.loads(heard)["payload"])
            assert status["output_id"] == "people-counter.video_out.camera_node"
            return bool(status["frames"] > 0 and status["width"])

        eventually(pictures, "pictures come out of the application", within_s=120.0)
        assert logs_in_cloudwatch(machine, root) >= {
            ("", "occ_log"), ("", "ota_log"),
            ("people-counter", "camera_node"), ("people-counter", "model_node"), ("people-counter", "code_node"),
        }  # fmt: skip
    finally:
        process.terminate()
        process.wait(30)
