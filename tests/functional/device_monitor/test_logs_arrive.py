"""Logs from files on disk to moto's CloudWatch Logs, over real signed requests."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.main import Clocks, Monitor

from tests.waiting import eventually
from vedette.application.log_streams import LogStreams
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.health import HealthBook
from vedette.messages import MonitorStatus

from .conftest import SECRET_KEY, TokenExchange

WITHIN_S = 40.0
GROUP = "/aws/panorama/devices/shop-7"


class Running:
    """A monitor that sends logs of one application."""

    def __init__(self, root: Path, environ: dict[str, str], **configuration: Any) -> None:
        self.logs = root / "work" / "vedette.app.counter" / "logs"
        self.files = self.logs / "application"
        self.files.mkdir(parents=True)
        work = root / "work" / "vedette.DeviceMonitor"
        work.mkdir()
        LogStreams.of("counter", "code_node", cameras=(), models=(), outputs=()).write(self.logs)
        self.broker = MemoryBroker()
        self.bus = MemoryBus(self.broker, "vedette.DeviceMonitor")
        self.probe = MemoryBus(self.broker, "probe")
        self.heard = self.probe.record(MonitorStatus.topic())
        self.stop = threading.Event()
        given = MonitorConfiguration(metrics=False, jobs=False, logs=True, **configuration)
        begun = time.monotonic()
        # Ten seconds to the second here, so that what failed is soon tried again.
        clocks = Clocks(monotonic=lambda: begun + (time.monotonic() - begun) * 10)
        self.monitor = Monitor(self.bus, given, "shop-7", work, environ=environ, clocks=clocks)
        self.thread = threading.Thread(target=self.monitor.run, args=(self.stop,))
        self.thread.start()

    def status(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the first health of the upload that is wanted."""
        book = HealthBook()
        deadline = time.monotonic() + WITHIN_S
        while True:
            topic, payload = self.heard.get(timeout=max(0.1, deadline - time.monotonic()))
            assert book.apply(topic, payload)
            (upload,) = book.document().uploads
            if wanted(upload):
                return upload

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.bus.close()
        self.probe.close()


@pytest.fixture
def started(tmp_path: Path, environ: dict[str, str]) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(changed: dict[str, str] | None = None, **configuration: Any) -> Running:
        made.append(Running(tmp_path, {**environ, **(changed or {})}, **configuration))
        return made[-1]

    yield start
    for running in made:
        running.close()


def client(aws_url: str) -> Any:
    return boto3.client("logs", "eu-west-1", endpoint_url=aws_url, aws_access_key_id="x", aws_secret_access_key="y")


def lines(aws_url: str, group: str, stream: str) -> list[str]:
    service = client(aws_url)
    try:
        found = service.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    except service.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in found]


def test_lines_do_not_reach_the_stream_that_scripts_read(
    started: Callable[..., Running], aws_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    running = started(logRetentionDays=30)
    (running.files / "app.log").write_text("from app.log\n")
    (running.files / "second.log").write_text("from second.log\n")
    (running.logs / "console_output").write_text("printed\n")
    group = f"{GROUP}/applications/counter"
    found = eventually(
        lambda: sorted(lines(aws_url, group, "code_node"))[1:] and lines(aws_url, group, "code_node"),
        "both arrive",
    )
    assert sorted(found) == ["from app.log", "from second.log"]
    eventually(lambda: lines(aws_url, group, "console_output") == ["printed"], "the console arrives")
    (kept,) = client(aws_url).describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert kept["retentionInDays"] == 30
    assert running.status(lambda upload: upload.last_success_age_s is not None).state == "sent"
    assert SECRET_KEY not in caplog.text


def test_credentials_that_come_late_cost_lines(
    started: Callable[..., Running], aws_url: str, token_exchange: TokenExchange
) -> None:
    token_exchange.down = True
    running = started(deviceId="late-1")
    (running.files / "app.log").write_text("one\n")
    upload = running.status(lambda upload: upload.state == "waiting")
    assert "gives no credentials" in upload.detail
    assert upload.waiting == 4
    token_exchange.down = False
    group = "/aws/panorama/devices/late-1/applications/counter"
    eventually(lambda: lines(aws_url, group, "code_node") == ["one"], "it is sent afterwards")
    assert running.status(lambda upload: upload.state == "sent").waiting == 0


def test_a_wrong_region_is_not_named(started: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    # Nothing listens there: the name of the region alone is looked at.
    running = started({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, logRegion="eu-wst-1")
    (running.files / "app.log").write_text("one\n")
    upload = running.status(lambda upload: upload.state == "waiting")
    assert "`eu-wst-1` is no region of AWS" in upload.detail
    setup = [record for record in caplog.records if record.name == "vedette_device_monitor.logs.setup"]
    assert ["logRegion" in record.message for record in setup] == [False, True]
