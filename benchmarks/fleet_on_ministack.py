"""A device against ministack, an emulator of AWS with an MQTT broker and alarms: by hand, it needs its own venv.

    python3 -m venv /tmp/ministack && /tmp/ministack/bin/pip install ministack==1.5.33 cryptography
    python benchmarks/fleet_on_ministack.py --ministack /tmp/ministack/bin/ministack

1. shadow: on the local nucleus alone, then boto3 -> iot-data -> MQTT -> nucleus lite's IPC -> application host ->
   running application -> reported state
2. device jobs: boto3 -> ministack -> nucleus lite's IPC -> done once, bundle in S3 (ministack tells of a job over MQTT,
   but answers requests for jobs over HTTPS only)

Alarms: alarms.py.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3

from vedette.application import ApplicationManifest, shadow_name
from vedette.bus.greengrass import connect_to_nucleus
from vedette.compiler.recipes import application_recipe
from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc import IpcServer
from vedette.nucleus.ipc.personality import JAVA, LITE, Personality
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore

ROOT = Path(__file__).parents[1]
THING = "bench-core"
INSTANCE = "bench"
COMPONENT = f"vedette.app.{INSTANCE}"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
APPLICATION = """
import panoramasdk, time
node = panoramasdk.node()
said = None
while True:
    value = node.inputs.limit.get()
    if value != said:
        print(value, flush=True)
        said = value
    time.sleep(0.005)
"""
MANIFEST = {
    "name": "bench",
    "code_package": "BENCH",
    "version": "1.0",
    "entry": {"path": "python3", "name": "/panorama/application.py"},
    "inputs": [{"kind": "parameter", "port": "limit", "node": "limit_node", "type": "int32", "default": 0}],
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def eventually(what: Callable[[], Any], why: str, within_s: float = 60.0, step_s: float = 0.002) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := what()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not seen within {within_s:g} s: {why}")
        time.sleep(step_s)
    return found


class Cloud:
    """A ministack of our own."""

    def __init__(self, command: str, folder: Path) -> None:
        self.port, self.mqtt_port = free_port(), free_port()
        environ = {
            **os.environ,
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_PORT": str(self.mqtt_port),
            "SFTP_ENABLED": "0",
            "BIND_HOST": "127.0.0.1",
        }
        self._log = (folder / "ministack.log").open("w")
        self._process = subprocess.Popen([command], env=environ, stdout=self._log, stderr=subprocess.STDOUT)
        eventually(self._answers, "ministack answers", step_s=0.1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **KEYS)

    def _answers(self) -> bool:
        try:
            self.client("sts").get_caller_identity()
        except Exception:  # noqa: BLE001 - not yet
            return False
        return True

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


@contextlib.contextmanager
def nucleus(
    folder: Path,
    policies: Mapping[str, Any],
    components: Mapping[str, Mapping[str, Any]] | None = None,
    personality: Personality = LITE,
) -> Iterator[IpcServer]:
    """The local nucleus's IPC in this process, with an application's component and the carrier of messages.

    :param policies: accessControl of the application's component
    :param components: configuration of other components by name, that of the application's may be added to
    """
    everything = {"aws.greengrass.ipc.mqttproxy": {"carry": {"operations": ["*"], "resources": ["*"]}}}
    configuration = ConfigurationStore()
    configuration.set_defaults(f"vedette.app.{INSTANCE}", {"instance": INSTANCE, "accessControl": policies})
    for name in ("carrier", "monitor"):
        configuration.set_defaults(name, {"accessControl": everything})
    for name, given in (components or {}).items():
        configuration.set_defaults(name, given)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="nucleus")
    thread.start()
    server = IpcServer(
        folder / "gg-ipc.socket",
        configuration=configuration,
        secrets=SecretStore(None),
        shadows=ShadowStore(),
        thing_name=THING,
        on_state=lambda *_: None,
        personality=personality,
    )
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def environment(server: IpcServer, component: str) -> dict[str, str]:
    return {
        "SVCUID": server.tokens.issue(component),
        "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(server.socket_path),
        "AWS_IOT_THING_NAME": THING,
    }


@contextlib.contextmanager
def carried(cloud: Cloud, server: IpcServer, folder: Path) -> Iterator[None]:
    """Carry messages between the nucleus's IoT Core topics and ministack's broker, as a nucleus does."""
    from awscrt import mqtt5
    from awsiot import mqtt5_client_builder

    iot = cloud.client("iot")
    iot.create_thing(thingName=THING)
    keys = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_thing_principal(thingName=THING, principal=keys["certificateArn"])
    (folder / "cert.pem").write_text(keys["certificatePem"])
    (folder / "key.pem").write_text(keys["keyPair"]["PrivateKey"])
    import urllib.request

    (folder / "ca.pem").write_bytes(urllib.request.urlopen(f"{cloud.url}/_ministack/iot/ca.pem", timeout=20).read())
    bus = connect_to_nucleus(10.0, environment(server, "carrier"))
    connected: concurrent.futures.Future[None] = concurrent.futures.Future()
    client = mqtt5_client_builder.mtls_from_path(
        endpoint="localhost",
        port=cloud.mqtt_port,
        cert_filepath=str(folder / "cert.pem"),
        pri_key_filepath=str(folder / "key.pem"),
        ca_filepath=str(folder / "ca.pem"),
        client_id=THING,
        on_lifecycle_connection_success=lambda _data: connected.set_result(None) if not connected.done() else None,
        on_publish_received=lambda data: bus.publish_to_cloud(
            data.publish_packet.topic, bytes(data.publish_packet.payload or b"")
        ),
    )
    client.start()
    connected.result(30)
    topic = f"$aws/things/{THING}/shadow/name/+"
    answers = [f"{topic}/get/+", f"{topic}/update/accepted", f"{topic}/update/delta", f"{topic}/update/rejected"]
    answers.append(f"$aws/things/{THING}/jobs/notify")
    client.subscribe(
        mqtt5.SubscribePacket([mqtt5.Subscription(each, mqtt5.QoS.AT_LEAST_ONCE) for each in answers])
    ).result(30)

    def up(name: str, payload: bytes) -> None:
        client.publish(mqtt5.PublishPacket(topic=name, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE))

    for request in ("get", "update"):
        bus.subscribe_to_cloud(f"{topic}/{request}", up)
    for request in ("get", "+/get", "+/update"):
        bus.subscribe_to_cloud(f"$aws/things/{THING}/jobs/{request}", _answering_jobs(cloud, bus))
    try:
        yield
    finally:
        stopped = threading.Event()
        client.stop()
        stopped.wait(0.5)
        bus.close()


def _answering_jobs(cloud: Cloud, bus: Any) -> Callable[[str, bytes], None]:
    """ministack has the jobs' requests over HTTPS only: this is AWS IoT's MQTT side of them."""
    data = cloud.client("iot-jobs-data")

    def serve(topic: str, payload: bytes) -> None:
        job, _, operation = topic.partition("/jobs/")[2].rpartition("/")
        content = json.loads(payload)
        try:
            if not job:
                answer = data.get_pending_job_executions(thingName=THING)
            elif operation == "get":
                answer = data.describe_job_execution(thingName=THING, jobId=job, **content)
            else:
                answer = data.update_job_execution(thingName=THING, jobId=job, **content)
            how = "accepted"
        except data.exceptions.ClientError as error:
            answer, how = {"code": error.response["Error"]["Code"], "message": str(error)}, "rejected"
        answer.pop("ResponseMetadata", None)
        bus.publish_to_cloud(f"{topic}/{how}", json.dumps(answer, default=str).encode())

    return serve


class Running:
    """The application under its host, on a nucleus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._application = folder / "application"
        (self._application / "panorama").mkdir(parents=True, exist_ok=True)
        (self._application / "panorama/application.py").write_text(APPLICATION)
        manifest = ApplicationManifest.model_validate(MANIFEST)
        (self._application / "application.json").write_bytes(manifest.encode())
        recipe = application_recipe(COMPONENT, INSTANCE, manifest, {})
        self.policies = recipe["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"]
        self.console = folder / "work" / COMPONENT / "logs/console_output"

    @contextlib.contextmanager
    def on(self, server: IpcServer) -> Iterator[None]:
        shutil.rmtree(self._folder / "work", ignore_errors=True)
        work = self._folder / "work" / COMPONENT
        work.mkdir(parents=True)
        command = ["-m", "vedette_app_runtime", "run", "--application", str(self._application), "--work", str(work)]
        with (self._folder / "host.log").open("w") as log:
            host = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **environment(server, COMPONENT)},
                cwd=work,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(lambda: self.console.exists() and "0\n" in self.console.read_text(), "the application runs", 120)
            yield
        finally:
            host.terminate()
            host.wait(20)


Parameters = dict[str, Any]


def measured(
    running: Running, change: Callable[[Parameters], None], reported: Callable[[], Parameters], rounds: int
) -> tuple[list[float], list[float]]:
    """Return how long it took until the application had seen each value, and until it was reported back, s."""
    eventually(lambda: reported().get("parameters") == {"limit_node": 0}, "the first report")
    seen, told = [], []
    for value in range(1, rounds + 1):
        began = time.monotonic()
        change({"limit_node": value})
        eventually(lambda: running.console.read_text().endswith(f"{value}\n"), f"value {value} is seen")  # noqa: B023
        seen.append(time.monotonic() - began)
        wanted = {"limit_node": value}
        eventually(lambda: reported().get("parameters") == wanted, f"value {value} is reported")  # noqa: B023
        told.append(time.monotonic() - began)
        time.sleep(0.2)  # the Java nucleus takes so many requests for shadows a second
    return seen, told


def shadow_chain(cloud: Cloud, folder: Path, rounds: int) -> None:
    running, data, name = Running(folder), cloud.client("iot-data"), shadow_name(INSTANCE)

    def reported() -> Parameters:
        try:
            answer = data.get_thing_shadow(thingName=THING, shadowName=name)
        except data.exceptions.ResourceNotFoundException:
            return {}
        found: Parameters = json.loads(answer["payload"].read())["state"].get("reported", {})
        return found

    def desire(desired: Parameters) -> None:
        data.update_thing_shadow(
            thingName=THING, shadowName=name, payload=json.dumps({"state": {"desired": desired}}).encode()
        )

    with nucleus(folder, running.policies) as server, carried(cloud, server, folder), running.on(server):
        seen, told = measured(running, lambda parameters: desire({"parameters": parameters}), reported, rounds)
        desire({"parameters": {"limit_node": "many"}, "colour": "red"})
        rejected = eventually(lambda: len(reported().get("rejected", {})) == 2 and reported(), "the rejection")
    print(f"shadow: boto3 to the running application: {_spread(seen)}")
    print(f"shadow: boto3 to the reported state read with boto3: {_spread(told)}")
    print(f"shadow: rejected {json.dumps(rejected['rejected'])}")


def shadow_alone(folder: Path, rounds: int) -> None:
    """The same on the local nucleus as the Java one, without a cloud; the page's component writes the shadow."""
    running, name = Running(folder), shadow_name(INSTANCE)
    everything = {"page": {"operations": ["*"], "resources": ["*"]}}
    may = {"aws.greengrass.ShadowManager": everything, "aws.greengrass.ipc.pubsub": everything}
    newest: Parameters = {}

    def hear(_topic: str, payload: bytes) -> None:
        newest["state"] = json.loads(payload)["current"]["state"]

    def reported() -> Parameters:
        found: Parameters = newest.get("state", {}).get("reported", {})
        return found

    pages = {"page": {"accessControl": may}}
    with nucleus(folder, running.policies, pages, personality=JAVA) as server, running.on(server):
        page = connect_to_nucleus(10.0, environment(server, "page"))
        page.subscribe(f"$aws/things/{THING}/shadow/name/{name}/update/documents", hear)
        first = page.get_shadow(THING, name)
        newest["state"] = (first or {}).get("state", {})

        def desire(parameters: Parameters) -> None:
            page.update_shadow(THING, name, {"state": {"desired": {"parameters": parameters}}})

        seen, told = measured(running, desire, reported, rounds)
        page.close()
    print(f"shadow, local nucleus alone: to the running application: {_spread(seen)}")
    print(f"shadow, local nucleus alone: to the reported state: {_spread(told)}")


def device_jobs(cloud: Cloud, folder: Path) -> None:
    from vedette_device_monitor.deeds import diagnostics, doctor
    from vedette_device_monitor.jobs import JobLog, Jobs

    from vedette.aws_calls import AwsCaller, CredentialsSource
    from vedette.diagnostics import Source

    iot, s3 = cloud.client("iot"), cloud.client("s3")
    s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    environ = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": cloud.url}
    caller = AwsCaller("s3", "eu-west-1", CredentialsSource(environ), environ=environ)
    done: list[str] = []

    def counted(deed: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counting(job: Any) -> Any:
            done.append(job.job_id)
            return deed(job)

        return counting

    sources = [Source("a.log", lambda: "rtsp://viewer:planted-4711@10.0.0.7/s")]
    deeds = {
        "DOCTOR": counted(doctor()),
        "DIAGNOSTICS": counted(diagnostics(lambda _job: sources, caller, THING, "bundles", now=time.time)),
    }
    with nucleus(folder, {}) as server, carried(cloud, server, folder):
        bus = connect_to_nucleus(10.0, environment(server, "monitor"))
        jobs = Jobs(bus, THING, JobLog(folder / "jobs.json"), deeds, boot="boot-1")
        stop = threading.Event()
        thread = threading.Thread(target=jobs.run, args=(stop,))
        thread.start()
        arn = iot.describe_thing(thingName=THING)["thingArn"]

        iot.create_job(jobId="foreign", targets=[arn], document=json.dumps({"configurationArn": "x"}))
        for command in (["doctor"], ["diagnose", "--out", str(folder)]):
            began = time.monotonic()
            asked = subprocess.run(
                [str(Path(sys.executable).with_name("vedette")), "device", *command, f"thing/{THING}", "--json"],
                env={**os.environ, **environ, "AWS_REGION": "eu-west-1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            if asked.returncode:
                raise SystemExit(asked.stderr)
            answer = json.loads(asked.stdout)
            print(f"jobs: vedette device {command[0]}: {answer['outcome']} after {time.monotonic() - began:.1f} s")
        for _ in range(3):
            jobs.wake()
            stop.wait(0.5)
        execution = iot.describe_job_execution(jobId="foreign", thingName=THING)["execution"]
        foreign = execution["status"]
        stop.set()
        jobs.wake()
        thread.join(20)
        bus.close()
    (item,) = s3.list_objects_v2(Bucket="bundles")["Contents"]
    data = s3.get_object(Bucket="bundles", Key=item["Key"])["Body"].read()
    import io
    import zipfile

    text = zipfile.ZipFile(io.BytesIO(data)).read("a.log").decode()
    assert "planted" not in text, text
    assert len(done) == len(set(done)) == 2, done
    assert next(iter(folder.glob("*.zip"))).read_bytes() == data
    print(f"jobs: each done once, foreign one {foreign}, bundle {item['Key']}: {text}")


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"median {statistics.median(ordered) * 1000:.0f} ms, worst of {len(ordered)} {ordered[-1] * 1000:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ministack", required=True, help="its command")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as name:
        folder = Path(name)
        cloud = Cloud(given.ministack, folder)
        try:
            shadow_alone(folder, given.rounds)
            shadow_chain(cloud, folder, given.rounds)
            device_jobs(cloud, folder)
        except BaseException:
            for log in ("host.log", "ministack.log"):
                if (folder / log).exists():
                    print(f"--- {log}\n" + "\n".join((folder / log).read_text().splitlines()[-20:]), file=sys.stderr)
            raise
        finally:
            cloud.close()


if __name__ == "__main__":
    main()
