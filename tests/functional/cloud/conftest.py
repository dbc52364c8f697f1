"""AWS for these tests: moto for S3, STS, Secrets Manager and AWS IoT, our own stand-in for Greengrass and jobs."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from vedette.cloud import Cloud
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.planning import Application, Order, Policies
from vedette.cloud.publishing import Publishable, plan_publications, publish
from vedette.cloud.targets import Target, find_targets
from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3

SUITE = ("vedette.Runtime", "vedette.AppRuntime", "vedette.CameraIngest", "vedette.Display")


@dataclass
class Aws:
    """The stand-ins, empty at the start of each test."""

    stand_in: StandIn
    endpoint: str

    clients: dict[str, Any] = field(default_factory=dict)
    clouds: dict[int, Cloud] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the stand-ins."""
        if service not in self.clients:
            self.clients[service] = boto3.client(service)
        return self.clients[service]

    def cloud(self, attempts: int = 7) -> Cloud:
        """Return a caller that does not wait between attempts."""
        if attempts not in self.clouds:
            self.clouds[attempts] = Cloud(wait=lambda _: None, attempts=attempts)
        return self.clouds[attempts]

    def group(self, name: str, devices: int = 0, **facts: Any) -> Target:
        """Make a thing group with simulated devices in it."""
        self.client("iot").create_thing_group(thingGroupName=name)
        (target,) = find_targets(self.cloud(), [f"thing-group/{name}"])
        self.stand_in.fleet.add_devices([f"{name}-{n:04}" for n in range(devices)], [target.arn], **facts)
        return target

    def thing(self, name: str, **facts: Any) -> Target:
        """Make a thing that is a simulated device."""
        self.client("iot").create_thing(thingName=name)
        self.stand_in.fleet.add_devices([name], **facts)
        (target,) = find_targets(self.cloud(), [f"thing/{name}"])
        return target


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """Serve moto for all tests."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def greengrass(moto_endpoint: str) -> Iterator[StandIn]:
    """Serve Greengrass's and IoT's stand-in for all tests."""
    with StandIn(read_from_s3(moto_endpoint, "us-east-1"), upstream=moto_endpoint, pace=500) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def stand_ins(moto_endpoint: str, greengrass: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Point AWS's libraries at the stand-ins, once a module: making clients takes longer than most tests.

    Not for longer: other tests of the same process look at the environment, too.
    """
    nowhere = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        settings = {
            "AWS_ENDPOINT_URL": moto_endpoint,
            "AWS_ENDPOINT_URL_GREENGRASSV2": greengrass.url,
            "AWS_ENDPOINT_URL_IOT": greengrass.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": str(nowhere / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield Aws(greengrass, moto_endpoint)


@pytest.fixture
def aws(stand_ins: Aws) -> Aws:
    """Empty the stand-ins."""
    requests.post(f"{stand_ins.endpoint}/moto-api/reset", timeout=30).raise_for_status()
    stand_ins.stand_in.reset()
    return stand_ins


def tiny(folder: Path, name: str, version: str, *, content: str = "", **recipe: Any) -> Publishable:
    """Return a component of a few bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{name}-{version}.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(zipfile.ZipInfo("file.txt"), content or name)
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentPublisher": "Test",
        "ComponentDescription": "A component of a few bytes",
        **recipe,
        "Manifests": [
            {
                "Platform": {"os": "linux", "runtime": "*"},
                "Lifecycle": {"install": "true"},
                "Artifacts": [{"URI": f"s3://BUCKET_NAME/{name}/{version}/{archive.name}", "Unarchive": "ZIP"}],
            }
        ],
    }
    return Publishable(name, version, document, (archive,))


@pytest.fixture
def make_application(tmp_path: Path) -> Callable[..., Application]:
    """Make applications of a few bytes, with cameras that have passwords."""

    def make(
        name: str, *cameras: str, version: str = "1.0.1", suite: str = "0.1.0", **configuration: Any
    ) -> Application:
        component = tiny(
            tmp_path / "applications" / f"{name}-{version}",
            f"vedette.app.{name}",
            version,
            ComponentDependencies={
                part: {"VersionRequirement": f"^{suite}", "DependencyType": "SOFT"} for part in SUITE
            },
        )
        secrets = {f"vedette/camera/{camera}": _login(camera) for camera in cameras}
        attached = [{"name": camera, "secret": f"vedette/camera/{camera}"} for camera in cameras]
        merge = {"instance": name, "cameras": {"node": attached}, **configuration}
        components: dict[str, dict[str, Any]] = {
            **{part: {"componentVersion": suite} for part in SUITE},
            component.name: {
                "componentVersion": version,
                "configurationUpdate": {"merge": json.dumps(merge), "reset": ["/cameras"]},
            },
        }
        record = {
            "instance": name,
            "component": {"name": component.name, "version": version},
            "components": components,
            "secretNames": list(secrets),
        }
        return Application(name, (component,), components, tuple(secrets), secrets, record)

    return make


def _login(camera: str) -> Mapping[str, str]:
    return {"Username": "viewer", "Password": f"password-of-{camera}", "StreamUrl": f"rtsp://{camera}/"}


@pytest.fixture
def suite(aws: Aws, tmp_path: Path) -> str:
    """Publish stand-ins of Vedette's components; return their version."""
    publish_suite(aws.cloud(), tmp_path / "suite")
    return "0.1.0"


def publish_suite(cloud: Cloud, folder: Path, version: str = "0.1.0") -> None:
    """Publish the suite's components in one version, with a few bytes each."""
    items = [tiny(folder, name, version) for name in SUITE]
    publish(cloud, Bucket(cloud, default_bucket(cloud)), plan_publications(cloud, items))


def order(*applications: Application, to: "list[Target]", remove: tuple[str, ...] = (), **policies: Any) -> Order:
    """Return an order."""
    return Order(applications, remove, tuple(to), Policies(**policies))
