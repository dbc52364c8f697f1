"""What a deployment plan costs: applications x thing groups, in calls of AWS and in CPU seconds of this process.

usage: benchmarks/deployment_plan.py [--applications 10] [--groups 100] [--devices 1000] [--json]

AWS is moto and the project's stand-in for Greengrass, in a process of their own. The baseline in the same run is the
same number of bare calls of boto3 without planning anything.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SUITE = ("vedette.Runtime", "vedette.AppRuntime", "vedette.CameraIngest", "vedette.Display")
SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3
moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False); moto.start()
host, port = moto.get_host_and_port(); url = f"http://{host}:{port}"
with StandIn(read_from_s3(url, "us-east-1"), upstream=url) as stand_in:
    groups, devices = int(sys.argv[1]), int(sys.argv[2])
    for n in range(groups):
        arn = f"arn:aws:iot:us-east-1:123456789012:thinggroup/group-{n:03}"
        stand_in.fleet.add_devices([f"d-{n:03}-{k:05}" for k in range(devices)], [arn])
    print(url, stand_in.url, flush=True)
    threading.Event().wait()
"""


def component(folder: Path, name: str) -> Any:
    """Return a component of a few bytes."""
    from vedette.cloud.publishing import Publishable

    archive = folder / f"{name}.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(zipfile.ZipInfo("file.txt"), name)
    artifacts = [{"URI": f"s3://BUCKET_NAME/{archive.name}", "Unarchive": "ZIP"}]
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": "0.1.0",
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"install": "true"}, "Artifacts": artifacts}],
    }
    return Publishable(name, "0.1.0", recipe, (archive,))


def application(folder: Path, number: int) -> Any:
    """Return an application with four cameras and thirty parameters."""
    from vedette.cloud.planning import Application

    name = f"app-{number:02}"
    item = component(folder, f"vedette.app.{name}")
    secrets = [f"vedette/camera/{name}-{n}" for n in range(4)]
    merge = {
        "instance": name,
        "cameras": {"node": [{"name": f"c{n}", "secret": secret} for n, secret in enumerate(secrets)]},
        "parameters": {f"parameter_{n}": n for n in range(30)},
    }
    components: dict[str, dict[str, Any]] = {
        **{part: {"componentVersion": "0.1.0"} for part in SUITE},
        item.name: {"componentVersion": "0.1.0", "configurationUpdate": {"merge": json.dumps(merge)}},
    }
    values = {secret: {"Username": "u", "Password": "p", "StreamUrl": "rtsp://x/"} for secret in secrets}
    return Application(name, (item,), components, tuple(secrets), values, {"instance": name})


def measured(work: Any) -> tuple[Any, dict[str, float]]:
    """Return what ``work`` returns, and what it cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def run(applications: int, groups: int, devices: int, folder: Path) -> dict[str, Any]:
    """Measure a first plan, a second plan when everything is deployed, and bare calls."""
    from vedette.cloud import Cloud
    from vedette.cloud.bucket import Bucket, default_bucket
    from vedette.cloud.carrying_out import carry_out
    from vedette.cloud.planning import Order, make_plan, plan_target
    from vedette.cloud.publishing import plan_publications, publish
    from vedette.cloud.targets import find_targets

    class Counting(Cloud):
        calls = 0
        lock = threading.Lock()

        def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
            with self.lock:
                self.calls += 1
            return super().call(service, operation, **arguments)

    class Silent:
        uploaded = staticmethod(lambda _done, _total: None)
        published = wrote_secret = deployed = staticmethod(lambda _item: None)

    import boto3

    cloud = Counting()
    iot = boto3.client("iot")
    for number in range(groups):
        iot.create_thing_group(thingGroupName=f"group-{number:03}")
    bucket = Bucket(cloud, default_bucket(cloud))
    publish(cloud, bucket, plan_publications(cloud, [component(folder, name) for name in SUITE]))
    apps = tuple(application(folder, number) for number in range(applications))
    names = [f"thing-group/group-{number:03}" for number in range(groups)]

    def plan() -> Any:
        return make_plan(cloud, Order(apps, (), tuple(find_targets(cloud, names))))

    plan()  # makes boto3's clients, once a process
    cloud.calls = 0
    first, cost = measured(plan)
    figures: dict[str, Any] = {"applications": applications, "groups": groups, "devices": groups * devices}
    figures["first"] = {**cost, "calls": cloud.calls, "changed": sum(item.changed for item in first.targets)}
    carry_out(cloud, bucket, first, lambda t, c, a: plan_target(first.order, t, c, a, first.aws), Silent())
    cloud.calls = 0
    second, cost = measured(plan)
    calls = cloud.calls
    figures["second"] = {**cost, "calls": calls, "changed": sum(item.changed for item in second.targets)}
    client = boto3.client("greengrassv2")

    def bare() -> None:
        for _ in range(calls):
            client.list_deployments(maxResults=1)

    bare() if calls < 50 else client.list_deployments(maxResults=1)
    _, cost = measured(bare)
    figures["baseline: as many bare calls"] = {**cost, "calls": calls}
    figures["ratio_cpu"] = figures["second"]["cpu_s"] / cost["cpu_s"]
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=10)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--devices", type=int, default=1000, help="in each group")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(options.groups), str(options.devices)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"},
    )
    try:
        assert server.stdout is not None
        words: list[str] = []
        while len(words) != 2 or not all(word.startswith("http") for word in words):
            words = server.stdout.readline().split()
        os.environ |= {
            "AWS_ENDPOINT_URL": words[0],
            "AWS_ENDPOINT_URL_GREENGRASSV2": words[1],
            "AWS_ENDPOINT_URL_IOT": words[1],
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        with tempfile.TemporaryDirectory() as folder:
            figures = run(options.applications, options.groups, options.devices, Path(folder))
    finally:
        server.kill()
        server.wait(10)
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        for name, value in figures.items():
            shown = " ".join(f"{k} {v:.3g}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.4g}"
            sys.stdout.write(f"{name:<30} {shown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
