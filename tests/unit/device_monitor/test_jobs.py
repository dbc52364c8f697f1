"""Device jobs: each at most once, whatever is repeated, lost or interrupted; only those that are ours."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from vedette_device_monitor.deeds import diagnostics, reboot
from vedette_device_monitor.jobs import Job, JobLog, Jobs, Outcome

from vedette.aws_calls import Denied, Response
from vedette.bus import BusError
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.diagnostics import Source, bundle, log_sources, without_secrets

THING = "shop-7"
TOO_LARGE = "a document that nucleus lite does not pass on"
PREFIX = f"$aws/things/{THING}/jobs/"


class IotJobs:
    """AWS IoT's jobs of one thing, over MQTT topics."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[str, str]] = []
        self.deaf = False
        self._broker = broker
        broker.cloud = self._serve

    def add(self, job_id: str, document: object, number: int = 1) -> None:
        self.executions[job_id] = {
            "jobId": job_id,
            "status": "QUEUED",
            "versionNumber": 1,
            "executionNumber": number,
            "jobDocument": document,
        }

    def status(self, job_id: str) -> str:
        return str(self.executions[job_id]["status"])

    def _serve(self, topic: str, payload: bytes) -> None:
        if self.deaf:
            return
        what, content = topic.removeprefix(PREFIX), json.loads(payload)
        job_id, _, operation = what.rpartition("/")
        if what == "get":
            open_ = [e for e in self.executions.values() if e["status"] in {"QUEUED", "IN_PROGRESS"}]
            answer: dict[str, Any] = {
                key: [{"jobId": e["jobId"]} for e in open_ if e["status"] == status]
                for key, status in (("inProgressJobs", "IN_PROGRESS"), ("queuedJobs", "QUEUED"))
            }
        elif operation == "get":
            execution = dict(self.executions[job_id])
            if not content["includeJobDocument"]:
                del execution["jobDocument"]
            elif execution["jobDocument"] == TOO_LARGE:
                return  # nucleus lite drops it
            answer = {"execution": execution}
        else:
            execution = self.executions[job_id]
            if content["expectedVersion"] != execution["versionNumber"]:
                self._answer(topic, "rejected", {"code": "VersionMismatch", "message": "The expected version differs"})
                return
            execution["status"] = content["status"]
            execution["statusDetails"] = content["statusDetails"]
            execution["versionNumber"] += 1
            self.history.append((job_id, content["status"]))
            answer = {}
        self._answer(topic, "accepted", answer)

    def _answer(self, topic: str, how: str, content: dict[str, Any]) -> None:
        self._broker.deliver_from_cloud(f"{topic}/{how}", json.dumps(content).encode())


class Device:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = MemoryBroker()
        self.iot = IotJobs(self.broker)
        self.bus = MemoryBus(self.broker, "vedette.DeviceMonitor")
        self.done: list[str] = []
        self.others: list[tuple[str, str, bool]] = []
        self.answer_s = 5.0
        self.outcome = Outcome(True, {"said": "fine"})
        self.start("boot-1")

    def start(self, boot: str) -> None:
        def deed(job: Job) -> Outcome:
            self.done.append(job.job_id)
            return self.outcome

        deeds = dict.fromkeys(("REBOOT", "DOCTOR", "DIAGNOSTICS"), deed)
        self.jobs = Jobs(
            self.bus,
            THING,
            JobLog(self.folder / "jobs.json"),
            deeds,
            boot=boot,
            answer_s=self.answer_s,
            others=self.heard_of_others,
        )
        self.jobs.listen()

    def heard_of_others(self, execution: Mapping[str, Any]) -> bool:
        self.others.append((execution["jobId"], execution["status"], "jobDocument" in execution))
        document = execution.get("jobDocument")
        return isinstance(document, Mapping) and "configurationArn" in document


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.bus.close()


def test_a_job_is_not_done_or_done_again(device: Device) -> None:
    device.iot.add("one", {"operation": "DOCTOR"})
    for _ in range(3):
        device.jobs.run_once()
    assert device.done == ["one"]
    assert device.iot.history == [("one", "IN_PROGRESS"), ("one", "SUCCEEDED")]
    assert device.iot.executions["one"]["statusDetails"] == {"said": "fine"}


def test_a_replayed_job_is_done_again(device: Device) -> None:
    device.iot.add("one", {"operation": "DOCTOR"})
    device.jobs.run_once()
    device.iot.add("one", {"operation": "DOCTOR"})  # the same execution once more
    device.start("boot-1")
    device.jobs.run_once()
    assert device.done == ["one"]
    assert device.iot.status("one") == "SUCCEEDED"
    device.iot.add("one", {"operation": "DOCTOR"}, number=2)  # deleted and made again
    device.jobs.run_once()
    assert device.done == ["one", "one"]


def test_a_reboot_never_ends(device: Device) -> None:
    device.outcome = Outcome(None, {})
    device.iot.add("one", {"operation": "REBOOT"})
    device.jobs.run_once()
    assert device.iot.status("one") == "IN_PROGRESS"
    device.start("boot-2")
    device.jobs.run_once()
    assert device.done == ["one"]
    assert device.iot.status("one") == "SUCCEEDED"


def test_a_job_that_was_interrupted_is_done_again(device: Device) -> None:
    device.outcome = Outcome(None, {})  # as if the process had died in it
    device.iot.add("one", {"operation": "DIAGNOSTICS"})
    device.jobs.run_once()
    device.start("boot-2")
    device.jobs.run_once()
    assert device.done == ["one"]
    assert device.iot.status("one") == "FAILED"
    assert "not done again" in device.iot.executions["one"]["statusDetails"]["reason"]


def test_a_job_that_nothing_is_known_of_is_done(device: Device) -> None:
    device.iot.add("one", {"operation": "REBOOT"})
    device.iot.executions["one"]["status"] = "IN_PROGRESS"
    device.jobs.run_once()
    assert device.done == []
    assert device.iot.status("one") == "FAILED"


def test_a_cancelled_job_is_done(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.iot.add("one", {"operation": "REBOOT"})
    put = JobLog.put

    def cancelled_meanwhile(self: JobLog, key: str, entry: dict[str, Any]) -> None:
        device.iot.executions["one"]["versionNumber"] += 1
        put(self, key, entry)

    monkeypatch.setattr(JobLog, "put", cancelled_meanwhile)
    device.jobs.run_once()
    assert device.done == []


def test_a_disk_that_takes_nothing_lets_a_job_be_done_twice(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: JobLog, key: str, entry: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JobLog, "put", full)
    device.iot.add("one", {"operation": "REBOOT"})
    device.jobs.run_once()
    assert device.done == []
    assert "No space left" in device.iot.executions["one"]["statusDetails"]["reason"]


@pytest.mark.parametrize(
    "document",
    [
        {"configurationArn": "arn:aws:greengrass:...", "components": {}},
        {"operation": "reboot now"},
        {"operation": "REBOOT", "target": "somebody-else"},
        {"operation": ["REBOOT"]},
        "REBOOT",
        None,
    ],
)
def test_a_job_of_somebody_else_is_taken(device: Device, document: object) -> None:
    device.iot.add("theirs", document)
    device.iot.add("ours", json.dumps({"operation": "DOCTOR", "target": "vedette"}))
    device.jobs.run_once()
    assert device.done == ["ours"]
    assert device.iot.status("theirs") == "QUEUED"


def test_a_reboot_without_permission_ends_in_nothing() -> None:
    from subprocess import CompletedProcess

    tried = []

    def refused(command: Any) -> Any:
        tried.append(command[0])
        return CompletedProcess(command, 1, "", "Interactive authentication required.")

    job = Job("j", 1, 1, "QUEUED", "REBOOT", {})
    outcome = reboot(refused)(job)
    assert outcome.succeeded is False
    assert "Interactive authentication required" in outcome.details["reason"]
    assert tried == ["systemctl", "sudo"]
    assert reboot(lambda command: CompletedProcess(command, 0, "", ""))(job).succeeded is None


PLANTED = "planted-Pa55word"


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp://viewer:{PLANTED}@10.0.0.7/s",
        f'{{"Username": "v", "Password": "{PLANTED}"}}',
        f"password={PLANTED} user=v",
        f"DB_PASSWORD: '{PLANTED}'",
        f"secretAccessKey={PLANTED}",
        f"aws_secret_access_key = {PLANTED}",
        f"Authorization: Basic {PLANTED}",
        f"SVCUID token {PLANTED}",
        f"x ASIA{'A' * 16} y".replace("AAAA", "AAAA"),
        f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_password_is_in_the_bundle(text: str) -> None:
    data, _ = bundle([Source("a.log", lambda: text)])
    with zipfile.ZipFile(BytesIO(data)) as archive:
        content = archive.read("a.log").decode()
    assert PLANTED not in content
    assert "ASIAAAAA" not in content
    assert "***" in content


def test_words_that_are_no_secret_are_taken_out() -> None:
    line = "2026-11-27T10:00:00.000Z INFO host camera door is live; 2 tokens; the password was refused"
    assert without_secrets("INFO camera door is live") == "INFO camera door is live"
    assert "camera door is live" in without_secrets(line)


def test_logs_are_missing_or_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/vedette.Display.log").write_text("x" * 3_000_000)
    files = tmp_path / "work/vedette.app.counter/logs/application"
    files.mkdir(parents=True)
    (files / "app.log").write_text("counted")
    (files / "shadow").symlink_to("/etc/shadow")
    (files.parent / "console_output").write_text(f"password={PLANTED}")

    def broken() -> str:
        raise PermissionError("no")

    data, names = bundle([*log_sources(tmp_path), Source("broken", broken)])
    assert list(names) == [
        "logs/vedette.Display.log",
        "applications/vedette.app.counter/console_output",
        "applications/vedette.app.counter/files/app.log",
        "broken",
    ]
    assert len(data) < 100_000
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert json.loads(archive.read("contents.json"))["broken"] == "left out: PermissionError"


class S3:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.put: list[tuple[str, bytes]] = []

    def call(self, _action: str, body: bytes, _headers: Any, *, method: str, path: str) -> Response:
        assert method == "PUT"
        if self.error is not None:
            raise self.error
        self.put.append((path, body))
        return Response(200, {}, b"")


def collect(s3: S3, document: dict[str, Any], bucket: str = "") -> Outcome:
    sources: Callable[[Job], list[Source]] = lambda _job: [Source("a", lambda: "b")]  # noqa: E731
    deed = diagnostics(sources, s3, "shop/7", bucket, now=lambda: 1_800_000_000.0)  # type: ignore[arg-type]
    return deed(Job("job-1", 1, 1, "QUEUED", "DIAGNOSTICS", document))


def test_the_bundle_goes_somewhere_else() -> None:
    s3 = S3()
    outcome = collect(s3, {}, "my-bucket")
    assert outcome.succeeded
    assert s3.put[0][0] == "/my-bucket/diagnostics/shop-7/20270115T080000Z-job-1.zip"
    assert collect(s3, {"bucket": "other"}, "my-bucket").details["bucket"] == "other"
    for wrong in ("", "../x", "a/b", 5):
        assert not collect(s3, {"bucket": wrong}).succeeded
    assert "s3:PutObject" in collect(S3(Denied("may not do s3:PutObject")), {}, "b-1").details["reason"]


def test_a_deployment_of_greengrass_is_not_followed_to_its_end(device: Device) -> None:
    device.iot.add("fleet-1", {"configurationArn": "arn", "deploymentName": "shops"})
    device.iot.add("foreign", {"operation": "ROTATE"})
    device.jobs.run_once()
    device.iot.executions["fleet-1"]["status"] = "SUCCEEDED"
    device.iot.executions["foreign"]["status"] = "SUCCEEDED"
    for _ in range(3):
        device.jobs.run_once()
    assert device.others == [
        ("fleet-1", "QUEUED", True),
        ("foreign", "QUEUED", True),
        ("fleet-1", "SUCCEEDED", False),
    ]
    assert device.iot.history == []


def test_a_document_that_does_not_come_through_holds_our_jobs_up(device: Device) -> None:
    device.iot.add("large", TOO_LARGE)
    device.iot.add("ours", {"operation": "DOCTOR"})
    device.answer_s = 0.2
    device.start("boot-1")
    with pytest.raises(BusError, match="has not answered"):
        device.jobs.run_once()
    assert device.done == ["ours"]
    assert device.iot.status("ours") == "SUCCEEDED"
