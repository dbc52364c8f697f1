"""From a folder to a fleet and back to pictures.

``vedette deploy`` to a simulated group of 1,000 devices; the document that such a device gets, with what was really
published, brings up video on a local nucleus, as the Java nucleus and as nucleus lite.

Applications of one device are independent of one another: two by default, ``VEDETTE_APPLICATIONS=10`` tries ten.
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

from tests.waiting import eventually
from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3
from vedette.cloud_stand_in.component_store import Fetch

from .suite import EXAMPLES, STREET, VEDETTE

APPLICATIONS = int(os.environ.get("VEDETTE_APPLICATIONS", "2"))
TELLS = """
import json, os, panoramasdk

class Tells(panoramasdk.node):
    def run(self):
        while True:
            told = {"pid": os.getpid(), "threshold": self.inputs.threshold.get(), "label": self.inputs.label.get()}
            with open("/opt/aws/panorama/storage/new", "w") as file:
                json.dump(told, file)
            os.replace("/opt/aws/panorama/storage/new", "/opt/aws/panorama/storage/told")
            self.stopping.wait(0.2)

    def __init__(self):
        import threading
        self.stopping = threading.Event()

Tells().run()
"""
GROUP = "several"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240 + 60 * APPLICATIONS)]
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
            for made in store.versions(component["componentName"]):
                self._fetch(made.recipe.component_name, made.recipe.component_version, made.text)

    def _fetch(self, name: str, version: str, text: Mapping[str, Any]) -> None:
        recipe = self.folder / "recipes" / f"{name}-{version}.yaml"
        if recipe.exists():
            return
        recipe.parent.mkdir(exist_ok=True)
        recipe.write_text(yaml.safe_dump(dict(text), sort_keys=False))
        for artifact in (a for m in text["Manifests"] for a in m.get("Artifacts", ())):
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
        for group in ("java", "lite", "several"):
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


def parameter(name: str, kind: str, value: object) -> dict[str, Any]:
    return {"name": name, "interface": kind, "value": value, "overridable": True}


def write_project(folder: Path, label: str) -> Path:
    """Write an application that tells its parameters and its process id."""
    package = folder / "packages" / "123456789012-TELLS-1.0"
    (package / "src").mkdir(parents=True, exist_ok=True)
    (folder / "graphs" / "tells").mkdir(parents=True, exist_ok=True)
    (package / "src" / "application.py").write_text(TELLS)
    entry = {"envelopeVersion": "2021-01-01", "entry": {"path": "python3", "name": "/panorama/application.py"}}
    (package / "descriptor.json").write_text(json.dumps({"runtimeDescriptor": entry}))
    inputs = [
        {"name": "threshold", "type": "int32", "default": 1},
        {"name": "label", "type": "string", "default": "x"},
    ]
    interface = {"name": "interface", "category": "business_logic", "asset": "code_asset", "inputs": inputs}
    about = {"envelopeVersion": "2021-01-01", "name": "TELLS", "version": "1.0", "assets": []}
    document = {"nodePackage": {**about, "interfaces": [{**interface, "outputs": []}]}}
    (package / "package.json").write_text(json.dumps(document))
    graph = {
        "envelopeVersion": "2021-01-01",
        "packages": [{"name": "123456789012::TELLS", "version": "1.0"}],
        "nodes": [
            {"name": "code_node", "interface": "123456789012::TELLS.interface"},
            parameter("threshold_node", "int32", 1),
            parameter("label_node", "string", label),
        ],
        "edges": [
            {"producer": "threshold_node", "consumer": "code_node.threshold"},
            {"producer": "label_node", "consumer": "code_node.label"},
        ],
    }
    (folder / "graphs" / "tells" / "graph.json").write_text(json.dumps({"nodeGraph": graph}))
    return folder


class Device:
    """A nucleus that gets what the stand-in's devices get."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.root = machine, machine.folder / GROUP / "root"
        self.process = subprocess.Popen(
            [str(VEDETTE), "nucleus", "start", "--root", str(self.root)],
            env=machine.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: list(machine.folder.glob("vedette/*/instance.json")), "the nucleus runs", within_s=60.0)

    def deploy(self, *arguments: str | Path, fails: bool = False) -> None:
        """Deploy with the command, then let the nucleus carry out what a device of the group is sent."""
        self.machine.vedette(
            "deploy",
            *arguments,
            "--to",
            f"thing-group/{GROUP}",
            "--no-monitor",
            "--no-cloud-logs",
            "--no-wait",
            "--yes",
        )
        self.machine.fetch_published()
        document = self.machine.stand_in.fleet.device_document(GROUPS + GROUP)
        if "vedette.Runtime" in document["components"]:
            document["components"]["vedette.Runtime"]["configurationUpdate"] = {"merge": {"python": sys.executable}}
        path = self.machine.folder / "document.json"
        path.write_text(json.dumps(document))
        self.machine.vedette(
            "deployment", "create", "--recipe-dir", self.machine.folder / "recipes",
            "--artifact-dir", self.machine.folder / "artifacts", "--document", path, "--root", self.root,
            code=int(fails),
        )  # fmt: skip

    def told(self, instance: str) -> dict[str, Any]:
        """Return what an instance tells; empty before it does."""
        path = self.root / "work" / f"vedette.app.{instance}" / "storage" / "told"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def tells(self, instance: str, **expected: object) -> int:
        """Wait until an instance tells this; return its process id."""
        found = eventually(
            lambda: (told := self.told(instance)) if expected.items() <= self.told(instance).items() else None,
            f"{instance} tells {expected}",
            within_s=60.0,
        )
        return int(found["pid"])

    def left_of(self, instance: str) -> list[str]:
        """Return what there is of an instance on the disk.

        Without its archive and recipe: AWS's nucleus removes them itself, the local one keeps a store to deploy from.
        """
        return [
            str(path.relative_to(self.root))
            for place in ("work", "packages/artifacts-unarchived")
            for path in (self.root / place).rglob("*")
            if f"vedette.app.{instance}" in str(path) and path.is_file()
        ]


def test_applications_of_a_device_disturb_one_another(machine: Machine) -> None:
    project = write_project(machine.folder / GROUP / "tells", "first")
    device = Device(machine)
    try:
        # Instances of one folder, each with a value of its own, deployed one after the other.
        pids: dict[str, int] = {}
        for number in range(APPLICATIONS):
            name = f"app-{number}"
            device.deploy(project, "--name", name, "--set", f"threshold_node={10 + number}")
            pids[name] = device.tells(name, threshold=10 + number, label="first")
            assert {known: device.tells(known) for known in pids} == pids
        # A default that changed in the manifest arrives, although the device keeps the configuration it had.
        write_project(project, "second")
        device.deploy(project, "--name", "app-0", "--set", "threshold_node=10")
        device.tells("app-0", threshold=10, label="second")
        # A value that is not given any more is the manifest's again.
        device.deploy(project, "--name", "app-0")
        pids["app-0"] = device.tells("app-0", threshold=1, label="second")
        assert {known: device.tells(known) for known in pids} == pids
        # What is removed leaves nothing behind, and nobody else hears of it.
        assert device.left_of("app-0")
        device.deploy("--remove", "app-0")
        assert device.left_of("app-0") == []
        del pids["app-0"]
        assert {known: device.tells(known) for known in pids} == pids
        # A faulty one can be removed as well.
        (project / "packages" / "123456789012-TELLS-1.0" / "requirements.txt").write_text("???\n")
        device.deploy(project, "--name", "faulty", "--on-failure", "keep", fails=True)
        listed = machine.vedette("component", "details", "vedette.app.faulty", "--json", "--root", device.root)
        assert json.loads(listed)["component"]["state"] == "BROKEN"
        device.deploy("--remove", "faulty")
        assert device.left_of("faulty") == []
        assert {known: device.tells(known) for known in pids} == pids
    finally:
        device.process.terminate()
        device.process.wait(30)
