"""The alarms of infra/ on a device that is disturbed: by hand, it needs ministack's own venv and about ten minutes.

    python3 -m venv /tmp/ministack && /tmp/ministack/bin/pip install ministack==1.5.33 cryptography
    python benchmarks/alarms.py --ministack /tmp/ministack/bin/ministack

The device's processes are real: an application under its host, vedette.CameraIngest on a camera of Vedette's RTSP
server, vedette.DeviceMonitor in real minutes. It is disturbed as in life: a value in the application's shadow makes it
fail, the camera's process is killed, then the monitor's. The stacks, the alarms and the SNS topic are ministack's; the
metrics are moto's, because ministack would judge an alarm of its own by the values that come, over all dimensions, and
knows no missing data. CloudWatch's rule is played by ``vedette.cloud_stand_in.alarms`` instead, every three seconds on
complete minutes, and ministack is told the state.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import yaml
from fleet_on_ministack import INSTANCE, KEYS, ROOT, THING, Cloud, carried, environment, eventually, nucleus
from moto.server import ThreadedMotoServer

from vedette.application import ApplicationManifest, shadow_name
from vedette.cloud_stand_in.alarms import AlarmRule
from vedette.compiler.recipes import application_recipe
from vedette.rtsp_server import RtspServer

APPLICATION = """
import panoramasdk
node = panoramasdk.node()
while True:
    if node.inputs.limit.get() < 0:
        raise RuntimeError("it was asked to fail")
    node.inputs.video_in.get()
"""
MANIFEST = {
    "name": "bench",
    "code_package": "BENCH",
    "version": "1.0",
    "entry": {"path": "python3", "name": "/panorama/application.py"},
    "inputs": [
        {"kind": "media", "port": "video_in", "nodes": ["camera"]},
        {"kind": "parameter", "port": "limit", "node": "limit_node", "type": "int32", "default": 0},
    ],
}
WATCHED = ("ApplicationErrors", "ApplicationsDown", "CamerasDown", "DeviceActive", "DiskUtilization")
SLOWEST_S = 420.0


class Judge:
    """Judges ministack's alarms on moto's metrics, on a thread of its own."""

    def __init__(self, alarms: Any, metrics: Any) -> None:
        self._alarms = alarms
        self._metrics = metrics
        self._stop = threading.Event()
        self._began = time.monotonic()
        self.states: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="judge")
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(3.0):
            for alarm in self._alarms.describe_alarms()["MetricAlarms"]:
                state = AlarmRule.of(alarm).state(self._values(alarm))
                if self.states.get(alarm["MetricName"]) != state:
                    print(f"  {time.monotonic() - self._began:5.0f} s  {alarm['MetricName']} {state}", flush=True)
                    self._alarms.set_alarm_state(
                        AlarmName=alarm["AlarmName"], StateValue=state, StateReason="as CloudWatch judges"
                    )
                self.states[alarm["MetricName"]] = state

    def _values(self, alarm: Mapping[str, Any]) -> list[float | None]:
        """Return the values of the complete minutes that are looked at; a minute is complete 20 s after its end."""
        period, count = int(alarm["Period"]), AlarmRule.of(alarm).looks_at
        end = (time.time() - 20) // period * period
        found = self._metrics.get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
            StartTime=datetime.fromtimestamp(end - count * period, timezone.utc),
            EndTime=datetime.fromtimestamp(end, timezone.utc),
            Period=period,
            Statistics=[alarm["Statistic"]],
        )["Datapoints"]
        # moto gives the time of a value, CloudWatch the beginning of its period.
        values = {
            int(each["Timestamp"].timestamp() // period * period): float(each[alarm["Statistic"]]) for each in found
        }
        return [values.get(int(end - (count - number) * period)) for number in range(count)]


def stacks(cloud: Cloud) -> str:
    """Make the stacks of infra/, with alarms of one minute; return the queue that the SNS topic goes to."""
    sns, sqs, formation = cloud.client("sns"), cloud.client("sqs"), cloud.client("cloudformation")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue: str = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for stack, parameters in (
        ("alarms-device", {"DeviceName": THING, "TopicArn": topic, "Minutes": "1"}),
        ("alarms-application", {"ApplicationInstanceName": INSTANCE, "TopicArn": topic, "Minutes": "1"}),
    ):
        formation.create_stack(
            StackName=stack,
            TemplateBody=(ROOT / f"infra/{stack}.yaml").read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        eventually(
            lambda: formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE",  # noqa: B023
            f"stack {stack}",
        )
    return queue


@contextlib.contextmanager
def process(
    folder: Path, name: str, command: list[str], environ: Mapping[str, str]
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a component in a work folder of its own; its log lies beside the others."""
    work = folder / "work" / name
    work.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("w") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environ},
            cwd=work,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


def default_configuration(component: str) -> Mapping[str, Any]:
    """Return a component's configuration as its recipe has it, permissions included."""
    recipe = yaml.safe_load((ROOT / f"recipes/{component}.yaml").read_text())
    found: Mapping[str, Any] = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    return found


def write(application: Path, manifest: ApplicationManifest) -> None:
    """Write the application's folder, as its component unpacks it."""
    (application / "panorama").mkdir(parents=True)
    (application / "panorama/application.py").write_text(APPLICATION)
    (application / "application.json").write_bytes(manifest.encode())


def disturb(cloud: Cloud, metrics_url: str, folder: Path) -> None:
    queue = stacks(cloud)
    application = folder / "application"
    manifest = ApplicationManifest.model_validate(MANIFEST)
    write(application, manifest)
    component = f"vedette.app.{INSTANCE}"
    recipe = application_recipe(component, INSTANCE, manifest, {})
    policies = recipe["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"]
    metrics = boto3.client("cloudwatch", endpoint_url=metrics_url, **KEYS)
    data = cloud.client("iot-data")
    to_aws = {
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "AWS_REGION": KEYS["region_name"],
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_ENDPOINT_URL_CLOUDWATCH": metrics_url,
    }

    def limit(value: int) -> None:
        change = {"state": {"desired": {"parameters": {"limit_node": value}}}}
        data.update_thing_shadow(thingName=THING, shadowName=shadow_name(INSTANCE), payload=json.dumps(change))

    with RtspServer({"door": ROOT / "examples/media/street.mp4"}) as camera, contextlib.ExitStack() as stack:
        attached = {"camera": [{"name": "door", "url": camera.url("door")}]}
        configured = {
            component: {"instance": INSTANCE, "cameras": attached, "accessControl": policies},
            **{name: default_configuration(name) for name in ("vedette.CameraIngest", "vedette.DeviceMonitor")},
        }
        server = stack.enter_context(nucleus(folder, policies, configured))
        stack.enter_context(carried(cloud, server, folder))
        judge = Judge(cloud.client("cloudwatch"), metrics)
        stack.callback(judge.close)

        def wait_for(why: str, **wanted: str) -> None:
            began = time.monotonic()
            eventually(lambda: wanted.items() <= judge.states.items(), f"{why}: {judge.states}", SLOWEST_S, 0.5)
            print(f"alarms: {why}: {time.monotonic() - began:.0f} s", flush=True)

        work = str(folder / "work" / component)
        host = ["vedette_app_runtime", "run", "--application", str(application), "--work", work]
        stack.enter_context(process(folder, component, host, environment(server, component)))
        ingest = environment(server, "vedette.CameraIngest")
        stack.enter_context(process(folder, "vedette.CameraIngest", ["vedette_camera_ingest"], ingest))
        of_monitor = {**environment(server, "vedette.DeviceMonitor"), **to_aws}
        monitor = stack.enter_context(process(folder, "vedette.DeviceMonitor", ["vedette_device_monitor"], of_monitor))
        wait_for("all is well", **dict.fromkeys(WATCHED, "OK"))
        limit(-1)
        wait_for("an application crashes", ApplicationErrors="ALARM", CamerasDown="OK", DeviceActive="OK")
        limit(0)
        wait_for("it runs again", ApplicationErrors="OK", ApplicationsDown="OK")
        camera.kill()
        wait_for("a camera dies", CamerasDown="ALARM", ApplicationErrors="OK", DeviceActive="OK")
        camera.start()
        wait_for("it is back", CamerasDown="OK")
        monitor.send_signal(signal.SIGKILL)
        wait_for("a device goes silent", DeviceActive="ALARM")
        sqs, told = cloud.client("sqs"), list[str]()

        def heard() -> bool:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                body = json.loads(json.loads(message["Body"])["Message"])
                told.append(f"{body['Trigger']['MetricName']} {body['NewStateValue']}")
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return {f"{name} ALARM" for name in ("ApplicationErrors", "CamerasDown", "DeviceActive")} <= set(told)

        eventually(heard, "the messages of the topic", 30, 0.2)
        print("alarms: told over SNS:", ", ".join(told))


def main() -> None:
    """Run it and print what fired after how long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ministack", required=True, help="its command")
    given = parser.parse_args()
    metrics = ThreadedMotoServer(port=0, ip_address="127.0.0.1", verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    metrics.start()
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as name:
        folder = Path(name)
        cloud = Cloud(given.ministack, folder)
        try:
            host, port = metrics.get_host_and_port()
            disturb(cloud, f"http://{host}:{port}", folder)
        except BaseException:
            for log in folder.glob("*.log"):
                print(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-20:]), file=sys.stderr)
            raise
        finally:
            cloud.close()
            metrics.stop()


if __name__ == "__main__":
    main()
