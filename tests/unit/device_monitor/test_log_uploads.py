"""Logs on their way: each line arrives once, in order, with its time, whatever files, network, disk and clock do."""

import contextlib
import json
import logging
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest
from vedette_device_monitor.configuration import ConfigurationError, read
from vedette_device_monitor.logs.backlog import Backlog
from vedette_device_monitor.logs.destination import Destination
from vedette_device_monitor.logs.files import LogFolders
from vedette_device_monitor.logs.journal import Journal
from vedette_device_monitor.logs.packing import MAX_TEXT_BYTES, LogEvent, requests
from vedette_device_monitor.logs.positions import Positions
from vedette_device_monitor.logs.reading import split
from vedette_device_monitor.logs.times import Now
from vedette_device_monitor.logs.uploader import Uploader

from tests.unit.folder_listings import removing_while_listing
from vedette.application.log_streams import LogStreams
from vedette.aws_calls import Denied, NoCredentials, OutcomeUnknown, Rejected, Unreachable
from vedette.bus.version import note_version
from vedette.log_events import CAMERA, MODEL, OUTPUT, STREAM, Event, EventFile, about

NOW = 1_800_000_000.0
AT = "2027-01-15T08:00:00.000Z"
GROUP = "/aws/panorama/devices/shop-7"
COUNTER = f"{GROUP}/applications/counter"
THERE = "ResourceAlreadyExistsException"


class Service:
    """CloudWatch Logs with its limits, the network before it, and the clocks of the device."""

    def __init__(self) -> None:
        self.streams: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.fails: list[Exception | None] = []
        """What the next requests raise."""
        self.lost_answers = 0
        self.offline = False
        self.denied: set[str] = set()
        self.poison = ""
        self.calls: list[str] = []
        self.elapsed = 0.0
        """Seconds since the test began."""
        self.clock_wrong_s = 0.0

    def now(self) -> float:
        return NOW + self.elapsed

    def wall(self) -> float:
        return NOW + self.elapsed + self.clock_wrong_s

    def uptime(self) -> float:
        return 500_000.0 + self.elapsed

    def clock(self) -> float:
        return 9_000.0 + self.elapsed

    def call_json(self, action: str, target: str, content: Mapping[str, Any]) -> dict[str, Any]:
        operation = action.removeprefix("logs:")
        assert target == f"Logs_20140328.{operation}"
        self.calls.append(operation)
        if self.offline:
            raise Unreachable("logs.eu-west-1.amazonaws.com cannot be reached: its name cannot be resolved")
        if operation in self.denied:
            raise Denied(f"the device's role may not do {action}: add it to the token exchange role's policy")
        fails = self.fails.pop(0) if self.fails else None
        if fails is not None:
            raise fails
        answer: dict[str, Any] = getattr(self, f"_{operation}")(content)
        if operation == "PutLogEvents" and self.lost_answers:
            self.lost_answers -= 1
            raise OutcomeUnknown("no answer")
        return answer

    def texts(self, stream: str, group: str = COUNTER) -> list[str]:
        return [text for _, text in self.streams.get((group, stream), ())]

    def times(self, stream: str, group: str = COUNTER) -> list[float]:
        return [at / 1000 - NOW for at, _ in self.streams.get((group, stream), ())]

    def _CreateLogGroup(self, content: Mapping[str, Any]) -> dict[str, Any]:
        if content["logGroupName"] in self.groups:
            raise Rejected("there already", THERE)
        self.groups[content["logGroupName"]] = dict(content)
        return {}

    def _PutRetentionPolicy(self, content: Mapping[str, Any]) -> dict[str, Any]:
        self.groups[content["logGroupName"]]["days"] = content["retentionInDays"]
        return {}

    def _CreateLogStream(self, content: Mapping[str, Any]) -> dict[str, Any]:
        if content["logGroupName"] not in self.groups:
            raise Rejected("no such group", "ResourceNotFoundException")
        assert not set(":*") & set(content["logStreamName"])
        self.streams.setdefault((content["logGroupName"], content["logStreamName"]), [])
        return {}

    def _PutLogEvents(self, content: Mapping[str, Any]) -> dict[str, Any]:
        key = (content["logGroupName"], content["logStreamName"])
        if key not in self.streams:
            raise Rejected("no such stream", "ResourceNotFoundException")
        events = [(event["timestamp"], event["message"]) for event in content["logEvents"]]
        times = [at for at, _ in events]
        assert 0 < len(events) <= 10_000
        assert times == sorted(times)
        assert times[-1] - times[0] < 24 * 3600 * 1000
        assert all(0 < len(text.encode()) <= 256 * 1024 - 26 for _, text in events)
        assert sum(len(text.encode()) + 26 for _, text in events) <= 1_048_576
        assert all(-14 * 86400 < at / 1000 - self.now() < 2 * 3600 for at in times)
        if self.poison and any(self.poison in text for _, text in events):
            raise Rejected("logs:PutLogEvents: InvalidParameterException", "InvalidParameterException")
        self.streams[key] += events
        return {}


class Device:
    """A nucleus's root with one application, and the uploader on it."""

    def __init__(self, root: Path) -> None:
        self.service = Service()
        self.root = root
        self.logs = root / "work" / "vedette.app.counter" / "logs"
        self.files = self.logs / "application"
        self.files.mkdir(parents=True)
        self.work = root / "work" / "vedette.DeviceMonitor"
        self.work.mkdir()
        self.boot = "boot-1"
        self.journal: Journal | None = None
        self.retention_days = 0
        self.region = "eu-west-1"
        LogStreams.of(
            "counter",
            "code_node",
            cameras=[("door-1", "front_door"), ("door-1", "second_node")],
            models=[("abc", "model_node")],
            outputs=[("video_out", "screen_node")],
        ).write(self.logs)
        self.start()

    def start(self) -> None:
        """As after a kill -9: nothing of the process before is left but what is on the disk."""
        service = self.service
        positions = Positions(self.work / "logs.db", service.wall)
        self.backlog = Backlog(
            LogFolders(self.root),
            positions,
            clock=service.clock,
            wall=service.wall,
            uptime=service.uptime,
            boot=self.boot,
        )
        self.uploader = Uploader(
            self.backlog,
            positions,
            Destination(service, retention_days=self.retention_days),
            device="shop-7",
            application_ids={},
            group_prefix="/aws/panorama/devices",
            region=self.region,
            now=lambda: Now(service.now(), self.boot, service.uptime()),
            journal=self.journal,
            clock=service.clock,
            jitter=lambda: 0.5,
        )

    def write(self, path: Path, text: str | bytes) -> None:
        """Append to a file at the device's present time."""
        with path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (self.service.wall(), self.service.wall()))

    def pass_s(self, seconds: float, step: float = 2.0) -> None:
        """Let time pass, with a look at the files every two seconds."""
        end = self.service.elapsed + seconds
        while self.service.elapsed < end:
            self.service.elapsed = min(end, self.service.elapsed + step)
            self.uploader.run_once()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.uploader.close()


def test_lines_of_files_and_console_are_not_in_the_streams_of_their_nodes(device: Device) -> None:
    device.write(device.files / "app.log", "one\ntwo\n")
    (device.files / "deeper").mkdir()
    device.write(device.files / "deeper" / "second.log", "three\n")
    device.write(device.logs / "console_output", "printed\n\n  \n")
    device.pass_s(2)
    assert sorted(device.service.texts("code_node")) == ["one", "three", "two"]
    assert device.service.texts("console_output") == ["printed"]
    device.pass_s(60)
    assert len(device.service.texts("code_node")) == 3
    assert device.service.calls.count("PutLogEvents") == 4, "each stream is found missing once; nothing is sent again"


def test_lines_are_lost_or_repeated_at_rotation(device: Device) -> None:
    handler = RotatingFileHandler(device.files / "app.log", maxBytes=2000, backupCount=1)
    log = logging.getLogger("test.rotating")
    log.addHandler(handler)
    for number in range(600):
        log.warning("line %d", number)
        device.service.elapsed += 0.001
        os.utime(device.files / "app.log", (device.service.wall(), device.service.wall()))
        if number % 100 == 0:
            device.pass_s(2)
    log.removeHandler(handler)
    handler.close()
    device.pass_s(10)
    assert device.service.texts("code_node") == [f"line {number}" for number in range(600)]


def test_a_file_that_is_cut_is_not_read_from_its_beginning(device: Device) -> None:
    path = device.files / "app.log"
    device.write(path, "before\n" * 10)
    device.pass_s(2)
    path.write_bytes(b"")
    device.write(path, "after\n")
    device.pass_s(4)
    assert device.service.texts("code_node")[-1] == "after"
    # Cut and at once longer than before: only the beginning tells.
    path.write_bytes(b"")
    device.write(path, "new beginning\n" + "later\n" * 50)
    device.pass_s(4)
    assert device.service.texts("code_node").count("later") == 50
    assert device.service.texts("code_node").count("new beginning") == 1


def test_a_new_file_with_the_number_of_an_old_one_is_taken_for_it(device: Device) -> None:
    path = device.files / "app.log"
    device.write(path, "old 1\nold 2\n")
    device.pass_s(2)
    device.start()  # it looks first when the file is another
    inode = path.stat().st_ino
    path.unlink()
    other = device.files / "other.log"
    for number in range(200):
        device.write(other, "new 1 that is longer\nnew 2\n")
        if other.stat().st_ino == inode:
            break
        other.rename(device.root / f"aside-{number}")
    else:
        pytest.skip("this file system does not give numbers again")
    device.pass_s(4)
    assert device.service.texts("code_node")[-2:] == ["new 1 that is longer", "new 2"]


def test_kill_9_loses_or_repeats_lines(device: Device) -> None:
    written = []
    chance = random.Random(7)
    for number in range(60):
        line = f"line {number}"
        device.write(device.files / "app.log", f"{line}\n")
        written.append(line)
        if chance.random() < 0.3:
            device.service.fails = [Unreachable("gone")]
        device.pass_s(2)
        if chance.random() < 0.5:
            device.start()
    device.pass_s(200)
    assert device.service.texts("code_node") == written


def test_a_lost_answer_costs_lines(device: Device) -> None:
    device.write(device.files / "app.log", "one\n")
    device.pass_s(2)
    device.write(device.files / "app.log", "two\n")
    device.service.lost_answers = 1
    device.pass_s(20)
    assert device.service.texts("code_node") == ["one", "two", "two"], "at least once; the window is one request"


def test_an_hour_offline_loses_lines_or_their_times(device: Device) -> None:
    instances = [f"app{number}" for number in range(10)]
    device.service.offline = True
    device.pass_s(2)
    for minute in range(60):
        for instance in instances:
            folder = device.root / "work" / f"vedette.app.{instance}" / "logs"
            (folder / "application").mkdir(parents=True, exist_ok=True)
            device.write(folder / "console_output", f"{instance} minute {minute}\n")
        device.pass_s(60, step=20.0)
        if minute == 30:
            device.start()
    assert not device.service.streams
    assert device.service.calls.count("PutLogEvents") < 150, "it asks more than once a minute"
    device.service.offline = False
    device.pass_s(80)
    for instance in instances:
        group = f"{GROUP}/applications/{instance}"
        assert device.service.texts("console_output", group) == [f"{instance} minute {m}" for m in range(60)]
        times = device.service.times("console_output", group)
        assert times == pytest.approx([2 + 60 * minute for minute in range(60)], abs=0.01)
    assert device.uploader.last_error == ""


def test_a_line_that_says_its_time_has_another(device: Device) -> None:
    device.service.elapsed = 100.0
    stamp = "2027-01-15T08:01:"  # NOW + 60 s and a bit
    device.write(
        device.files / "app.log",
        f"{stamp}01,250 INFO began\nTraceback (most recent call last):\n{stamp}02 INFO model of 2023-01-01\n"
        "2019-05-05 10:00:00 is only a date\n",
    )
    device.pass_s(2)
    assert device.service.times("code_node") == pytest.approx([61.25, 61.25, 62.0, 62.0], abs=0.01)


def test_a_wrong_clock_moves_lines(device: Device) -> None:
    device.service.clock_wrong_s = -NOW + 3600  # 1970, an hour after the start
    device.write(device.files / "app.log", "1970-01-01 01:00:00 INFO in 1970\n")
    device.service.offline = True
    device.pass_s(10)
    device.service.clock_wrong_s = 0.0
    device.write(device.files / "app.log", "now\n")
    device.service.offline = False
    device.pass_s(60)
    assert device.service.texts("code_node") == ["1970-01-01 01:00:00 INFO in 1970", "now"]
    assert device.service.times("code_node") == pytest.approx([0.0, 10.0], abs=2.1)


def test_lines_too_old_for_the_service_hold_up_the_others(device: Device) -> None:
    path = device.files / "app.log"
    path.write_text("ancient\n")
    old = device.service.wall() - 20 * 86400
    os.utime(path, (old, old))
    device.pass_s(2)
    device.write(path, "new\n")
    device.pass_s(2)
    assert device.service.texts("code_node") == ["new"]
    assert device.uploader.dropped == 1


def test_more_than_a_request_takes_is_sent_in_one(device: Device) -> None:
    lines = [f"{number} " + "x" * 1500 for number in range(3000)]
    device.write(device.files / "app.log", "\n".join(lines) + "\n")
    device.pass_s(2)
    device.pass_s(20)
    assert device.service.texts("code_node") == lines


def test_requests_break_the_limits() -> None:
    day = 24 * 3600 * 1000
    events = [LogEvent(day // 4 * number, "x") for number in range(12)] + [LogEvent(5, "y" * 200_000)] * 11
    events += [LogEvent(7, "z")] * 25_000
    random.Random(1).shuffle(events)
    found = list(requests(events))
    assert sum(map(len, found)) == len(events)
    for request in found:
        assert len(request) <= 10_000
        assert sum(event.size for event in request) <= 1_048_576
        assert request[-1].time_ms - request[0].time_ms < day
        assert request == sorted(request, key=lambda event: event.time_ms)


def test_a_line_without_an_end_never_comes_or_comes_in_pieces(device: Device) -> None:
    path = device.logs / "console_output"
    device.write(path, "progress ")
    device.pass_s(2)
    device.write(path, "done\nwaiting for input> ")
    device.pass_s(2)
    assert device.service.texts("console_output") == ["progress done"]
    device.pass_s(6)
    assert device.service.texts("console_output") == ["progress done", "waiting for input> "]


def test_garbage_ends_the_upload(device: Device) -> None:
    device.write(device.files / "a.log", b"caf\xe9 \x07\x1b[31mred\x1b[0m \x01\n")
    device.write(device.files / "core.bin", bytes(range(256)) * 40)
    device.write(device.files / "long.log", b"\xff" * (MAX_TEXT_BYTES + 10) + b"\nlast\n")
    device.write(device.files / "z.log", "fine\n")
    device.pass_s(4)
    texts = device.service.texts("code_node")
    assert "caf\ufffd \x1b[31mred\x1b[0m " in texts
    assert {"fine", "last"} <= set(texts)
    assert not any("\0" in text for text in texts)
    device.write(device.files / "core.bin", b"more\n")
    device.pass_s(4)
    assert "more" not in device.service.texts("code_node")


def test_links_pipes_and_folders_lead_it_astray(device: Device, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "shadow").write_text("root:planted\n")
    (device.files / "link.log").symlink_to(secret / "shadow")
    (device.files / "folder").symlink_to(secret)
    os.mkfifo(device.files / "pipe.log")
    (device.files / "dir.log").mkdir()
    device.write(device.files / "app.log", "fine\n")
    device.pass_s(4)
    assert device.service.texts("code_node") == ["fine"]


def test_a_thousand_files_cost_more_than_they_may(device: Device) -> None:
    for number in range(1000):
        device.write(device.files / f"{number}.log", f"line of {number}\n")
    device.pass_s(4)
    assert len(set(device.service.texts("code_node"))) == 1000
    assert device.service.calls.count("PutLogEvents") <= 3, "files of one stream share requests"


def test_a_full_disk_costs_lines(device: Device) -> None:
    device.write(device.files / "app.log", "one\n")
    device.pass_s(2)

    class Full(sqlite3.Connection):
        def executemany(self, *_: Any) -> Any:
            raise sqlite3.OperationalError("database or disk is full")

    positions = device.uploader._positions
    positions.close()
    positions._db = sqlite3.connect(device.work / "logs.db", factory=Full)
    device.write(device.files / "app.log", "two\n")
    device.pass_s(4)
    assert device.service.texts("code_node") == ["one", "two"]
    positions._db.close()
    positions._db = None
    device.write(device.files / "app.log", "three\n")
    device.pass_s(4)
    device.start()
    device.pass_s(4)
    assert device.service.texts("code_node") == ["one", "two", "three"]


def test_damaged_positions_end_the_upload(device: Device) -> None:
    device.write(device.files / "app.log", "one\n")
    device.pass_s(2)
    device.uploader.close()
    for path in device.work.glob("logs.db*"):
        path.unlink()
    (device.work / "logs.db").write_bytes(b"no database at all" * 100)
    device.start()
    device.pass_s(4)
    assert device.service.texts("code_node") == ["one", "one"]


def test_a_line_that_is_refused_holds_up_the_others(device: Device) -> None:
    device.service.poison = "poison"
    device.write(device.files / "app.log", "a\nb\npoison\nc\n")
    device.pass_s(4)
    assert device.service.texts("code_node") == ["a", "b", "c"]
    assert device.uploader.dropped == 1


def test_throttling_costs_lines(device: Device) -> None:
    device.write(device.files / "app.log", "a\n")
    device.service.fails = [Unreachable("ThrottlingException", "ThrottlingException")] * 4
    device.pass_s(120)
    assert device.service.texts("code_node") == ["a"]
    assert device.service.calls.count("PutLogEvents") <= 7


@pytest.mark.parametrize(
    ("denied", "error", "region", "named"),
    [
        ("PutLogEvents", None, "eu-west-1", "logs:PutLogEvents"),
        ("", Unreachable("logs.eu-west-1.amazonaws.com cannot be reached"), "eu-west-1", "no connection"),
        ("", Unreachable("its name cannot be resolved"), "eu-wst-1", "`eu-wst-1` is no region of AWS"),
        ("", NoCredentials("the token exchange service gives no credentials"), "eu-west-1", "token exchange"),
    ],
)
def test_the_cause_is_not_named(
    device: Device,
    caplog: pytest.LogCaptureFixture,
    denied: str,
    error: Exception | None,
    region: str,
    named: str,
) -> None:
    device.region = region
    device.start()
    device.service.denied = {denied}
    device.service.fails = [error] if error else []
    device.write(device.files / "app.log", "a\n")
    device.pass_s(2)
    assert named in device.uploader.last_error
    assert [record.message for record in caplog.records if named in record.message]
    device.service.denied = set()
    device.pass_s(120)
    assert device.uploader.last_error == ""
    assert device.service.texts("code_node") == ["a"]


def test_groups_are_made_without_retention_or_not_at_all(device: Device) -> None:
    device.retention_days = 30
    device.start()
    device.write(device.files / "app.log", "a\n")
    device.pass_s(2)
    assert device.service.groups[COUNTER]["days"] == 30
    # Somebody has made the group, and the device may not: its streams are enough.
    device.service.denied = {"CreateLogGroup"}
    device.service.groups[GROUP] = {}
    (device.work / "logs").mkdir()
    device.write(
        device.work / "logs" / "events.jsonl", Event(NOW, "INFO", "vedette_device_monitor.jobs", "did").encode()
    )
    device.pass_s(4)
    assert device.service.texts("occ_log", GROUP) == [
        f"{AT} INFO vedette_device_monitor.jobs did [vedette.DeviceMonitor]"
    ]
    with pytest.raises(ConfigurationError, match="CloudWatch keeps logs for 1, 3"):
        read({"logRetentionDays": 31})


def test_events_go_to_the_stream_of_another_node(device: Device) -> None:
    def event(component: str, logger: str, message: str, subject: Mapping[str, str] | None = None) -> None:
        folder = device.root / "work" / component / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        made = Event(device.service.wall(), "INFO", logger, message, (subject or {}).get("about", ""))
        device.write(folder / "events.jsonl", made.encode())

    event("vedette.CameraIngest", "camera", "404", about(CAMERA, "door-1"))
    event("vedette.CameraIngest", "camera", "nobody's", about(CAMERA, "other-2"))
    event("vedette.ModelInference", "model", "loaded", about(MODEL, "abc"))
    event("vedette.Display", "screen", "goes to counter", about(OUTPUT, "counter."))
    event("vedette.Display", "feed", "no picture", about(OUTPUT, "counter.video_out.door"))
    event("vedette.app.counter", "vedette_app_runtime.host", "threshold was changed", about(STREAM, "shadow_log"))
    event("vedette.app.counter", "vedette_app_runtime.supervisor", "the application ended")
    event("vedette.app.counter", "vedette_app_runtime.role.credentials", "credentials until 10:00")
    event("vedette.DeviceMonitor", "vedette_device_monitor.logs.setup", "region")
    event("vedette.DeviceMonitor", "vedette_device_monitor.logs.uploader", "refused")
    device.pass_s(4)
    found = {(g.removeprefix(GROUP), s): [t for _, t in events] for (g, s), events in device.service.streams.items()}
    here = "/applications/counter"
    assert found == {
        (here, "front_door"): [f"{AT} INFO camera 404"],
        (here, "second_node"): [f"{AT} INFO camera 404"],
        (here, "model_node"): [f"{AT} INFO model loaded"],
        (here, "screen_node"): [f"{AT} INFO screen goes to counter", f"{AT} INFO feed no picture"],
        (here, "code_node"): [f"{AT} INFO vedette_app_runtime.supervisor the application ended"],
        (here, "mds"): [f"{AT} INFO vedette_app_runtime.role.credentials credentials until 10:00"],
        ("", "shadow_log"): [f"{AT} INFO vedette_app_runtime.host threshold was changed [vedette.app.counter]"],
        ("", "occ_log"): [f"{AT} INFO camera nobody's [vedette.CameraIngest]"],
        ("", "logging_setup_logs"): [f"{AT} INFO vedette_device_monitor.logs.setup region [vedette.DeviceMonitor]"],
        ("", "cloudwatch_agent_logs"): [
            f"{AT} INFO vedette_device_monitor.logs.uploader refused [vedette.DeviceMonitor]"
        ],
    }


def test_one_stream_that_is_refused_repeats_the_lines_of_the_others(device: Device) -> None:
    folder = device.root / "work" / "vedette.CameraIngest" / "logs"
    folder.mkdir(parents=True)
    for number in range(4):
        subject = about(CAMERA, "door-1" if number % 2 else "other")["about"]
        device.write(folder / "events.jsonl", Event(NOW, "INFO", "c", f"{number}", subject).encode())
    refuse = Rejected("KMS key is disabled", "InvalidOperationException")
    real = device.service._PutLogEvents

    def put(content: Mapping[str, Any]) -> dict[str, Any]:
        if content["logStreamName"] == "front_door" and device.service.elapsed < 100:
            raise refuse
        return real(content)

    device.service._PutLogEvents = put  # type: ignore[method-assign]
    device.pass_s(300)
    assert device.service.texts("front_door") == [f"{AT} INFO c 1", f"{AT} INFO c 3"]
    assert device.service.texts("second_node") == [f"{AT} INFO c 1", f"{AT} INFO c 3"]
    assert len(device.service.texts("occ_log", GROUP)) == 2


def test_an_update_leaves_no_trace(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    link = device.root / "work" / "vedette.AppRuntime" / "current"
    link.parent.mkdir()

    def installed(version: str) -> None:
        link.unlink(missing_ok=True)
        link.symlink_to(f"/greengrass/v2/packages/artifacts-unarchived/vedette.AppRuntime/{version}/app_runtime")
        device.start()
        device.pass_s(4)

    for version in ("0.1.0", "0.1.0", "0.2.0"):
        installed(version)
    folder = device.work / "logs"
    for version in ("0.1.0", "0.1.0", "0.3.0"):
        paths = [f"/greengrass/v2/packages/artifacts-unarchived/vedette.DeviceMonitor/{version}/device_monitor/x"]
        note_version(folder, "vedette.DeviceMonitor", paths)
    told = [record for record in caplog.records if getattr(record, "about", "") == "stream:ota_log"]
    assert [record.message for record in told] == [
        "vedette.AppRuntime 0.1.0 was installed",
        "vedette.AppRuntime 0.1.0 -> 0.2.0",
        "vedette.DeviceMonitor 0.1.0 was installed",
        "vedette.DeviceMonitor 0.1.0 -> 0.3.0",
    ]


def test_a_login_in_an_address_is_sent(device: Device) -> None:
    device.write(device.logs / "console_output", "opening rtsp://admin:planted-4711@camera/1\n")
    device.pass_s(2)
    assert device.service.texts("console_output") == ["opening rtsp://***@camera/1"]


def test_what_is_lost_is_not_told(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    device.service.offline = True
    device.write(device.files / "app.log", "12345\n")
    device.pass_s(2)
    (device.files / "app.log").unlink()
    device.pass_s(6)
    assert device.uploader.lost == 6
    assert "6 bytes of it were not sent yet" in caplog.text


def test_the_folder_goes_away(device: Device) -> None:
    device.write(device.files / "app.log", "a\n")
    device.pass_s(2)
    shutil.rmtree(device.root / "work" / "vedette.app.counter")
    device.pass_s(6)
    assert device.service.texts("code_node") == ["a"]


def _entry(cursor: int, **fields: object) -> bytes:
    entry = {"__CURSOR": f"s={cursor}", "__REALTIME_TIMESTAMP": str(int((NOW + cursor) * 1e6)), **fields}
    return json.dumps(entry).encode() + b"\n"


def test_the_systems_log_is_not_sent_or_twice(device: Device) -> None:
    entries = [
        _entry(1, MESSAGE="before", SYSLOG_IDENTIFIER="cron"),
        _entry(2, MESSAGE="test", SYSLOG_IDENTIFIER="root", PRIORITY="5", _TRANSPORT="syslog"),
        _entry(3, MESSAGE="oom-kill", SYSLOG_IDENTIFIER="kernel", PRIORITY="3", _TRANSPORT="kernel"),
        _entry(4, MESSAGE="ours", _SYSTEMD_UNIT="ggl.vedette.Display.service"),
        _entry(
            5, MESSAGE="deployed", _SYSTEMD_UNIT="ggl.core.ggdeploymentd.service", SYSLOG_IDENTIFIER="ggdeploymentd"
        ),
        _entry(6, MESSAGE=[104, 105, 255], SYSLOG_IDENTIFIER="odd"),
    ]

    def journalctl(command: object) -> bytes:
        assert isinstance(command, list)
        cursor = next((int(word.partition("s=")[2]) for word in command if word.startswith("--after-cursor")), None)
        return entries[0] if cursor is None else b"".join(entries[cursor:])

    device.journal = Journal(read=journalctl, clock=device.service.clock)
    device.start()
    device.pass_s(4)
    device.service.fails = [Unreachable("gone")]
    device.pass_s(60)
    device.journal = Journal(read=journalctl, clock=device.service.clock)
    device.start()
    device.pass_s(60)
    assert device.service.texts("syslog", GROUP) == ["INFO cron: before", "INFO root: test", "INFO odd: hi\ufffd"]
    assert device.service.texts("kern_log", GROUP) == ["ERROR kernel: oom-kill"]
    assert device.service.texts("occ_log", GROUP) == ["INFO ggdeploymentd: deployed"]


def test_lines_are_split_in_the_wrong_places() -> None:
    assert [tuple(line) for line in split(b"a\n\nb", 10, at_rest=False)] == [(12, "a"), (13, "")]
    assert [tuple(line) for line in split(b"a\n\nb", 10, at_rest=True)][-1] == (14, "b")
    long = b"x" * (MAX_TEXT_BYTES + 5)
    pieces = split(long + b"\ny\n", 0, at_rest=False)
    assert [line.end for line in pieces] == [MAX_TEXT_BYTES, MAX_TEXT_BYTES + 6, MAX_TEXT_BYTES + 8]
    assert "".join(line.text for line in pieces) == long.decode() + "y"


def test_an_event_file_grows_for_ever_or_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = logging.getLogger("test.events")
    handler = EventFile(path, always_about="camera:door-1", max_bytes=2000)
    log.addHandler(handler)
    for number in range(100):
        log.warning("line %d", number)
    sizes = [each.stat().st_size for each in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 2000
    last = Event.decode(path.read_text().splitlines()[-1])
    assert (last.message, last.subject) == ("line 99", ("camera", "door-1"))
    with contextlib.suppress(OSError):
        shutil.rmtree(tmp_path)
    log.warning("nowhere")
    log.removeHandler(handler)
    assert handler.lost == 1


def test_an_event_file_that_cannot_be_turned_over_closes_what_another_thread_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = EventFile(tmp_path / "events.jsonl", max_bytes=300)
    record = logging.makeLogRecord({"msg": "x" * 200})
    handler.emit(record)
    opened: list[int] = []
    os_open = os.open

    def second_fails(path: Any, flags: int, mode: int = 0o777) -> int:
        opened.append(os_open(os.devnull, os.O_RDONLY) if opened else os_open(path, flags, mode))
        if len(opened) > 1:
            raise OSError(28, "No space left on device")
        return opened[0]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", second_fails)
        handler.emit(record)
    assert handler.lost == 1
    os.close(opened[1])  # of the other thread, which has got the number of the file before


def test_files_that_come_and_go_cost_the_lines_of_another(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.write(device.files / "app.log", "one\n")
    device.pass_s(2)
    device.write(device.files / "app.log", "two\n")
    device.backlog.look()
    for _ in (1, 2):  # what is missed twice counts as removed
        (device.files / "scratch").write_text("")
        with monkeypatch.context() as patch:
            removing_while_listing(patch, device.files / "scratch", before_others=True)
            device.backlog.look()
    device.pass_s(10)
    assert device.service.texts("code_node") == ["one", "two"]
    assert device.backlog.lost_bytes == 0
