"""The monitor with a bus, real signed requests and moto's CloudWatch."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.main import Clocks, Monitor

from tests.waiting import eventually
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import ApplicationState, ApplicationStatus, CameraState, CameraStatus
from vedette.metrics import GROUPS

from .conftest import SECRET_KEY, TokenExchange

WITHIN_S = 40.0


class Running:
    """A monitor whose next minute is always near."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.broker = MemoryBroker()
        self.bus = MemoryBus(self.broker, "vedette.DeviceMonitor")
        self.probe = MemoryBus(self.broker, "probe")
        self.stop = threading.Event()
        begun = time.monotonic()
        # Twenty seconds to the second here, so that a minute passes in three of them.
        clocks = Clocks(monotonic=lambda: begun + (time.monotonic() - begun) * 20)
        self.monitor = Monitor(
            self.bus, MonitorConfiguration(groups=GROUPS), "shop-7", folder, environ=environ, clocks=clocks
        )
        self.thread = threading.Thread(target=self.monitor.run, args=(self.stop,))
        self.speaker = threading.Thread(target=self._speak)
        self.errors = 0

    def start(self) -> None:
        self.thread.start()
        self.speaker.start()

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.speaker.join(10)
        self.bus.close()
        self.probe.close()

    def _speak(self) -> None:
        while not self.stop.wait(0.05):
            application = ApplicationStatus(
                instance="counter", application="app", state=ApplicationState.RUNNING, since=0.0, errors=self.errors
            )
            camera = CameraStatus(camera_id="door-1", name="door", state=CameraState.LIVE, since=0.0, pid=1, frames=9)
            self.probe.publish(ApplicationStatus.topic("counter"), application.encode())
            self.probe.publish(CameraStatus.topic("door-1"), camera.encode())


@pytest.fixture
def running(tmp_path: Path, environ: dict[str, str]) -> Iterator[Running]:
    made = Running(tmp_path, environ)
    yield made
    made.close()


def cloudwatch(aws_url: str) -> Any:
    return boto3.client(
        "cloudwatch", "eu-west-1", endpoint_url=aws_url, aws_access_key_id="x", aws_secret_access_key="y"
    )


def metrics(aws_url: str, namespace: str) -> dict[str, dict[str, str]]:
    found = cloudwatch(aws_url).list_metrics(Namespace=namespace)["Metrics"]
    return {each["MetricName"]: {d["Name"]: d["Value"] for d in each["Dimensions"]} for each in found}


def test_metrics_do_not_arrive(running: Running, aws_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    running.errors = 3
    running.start()
    eventually(lambda: running.monitor.sender.last_success_at and not running.monitor.spool.size, "all is sent")
    panorama = metrics(aws_url, "PanoramaDeviceMetrics")
    assert panorama["DeviceActive"] == {"DeviceId": "shop-7", "DeviceName": "shop-7"}
    assert panorama["ApplicationErrors"] == {
        "ApplicationInstanceName": "counter",
        "ApplicationInstanceId": "counter",
    }
    assert metrics(aws_url, "Vedette")["FramesIn"] == {"DeviceName": "shop-7", "Camera": "door"}
    now = datetime.now(timezone.utc)
    told = cloudwatch(aws_url).get_metric_statistics(
        Namespace="PanoramaDeviceMetrics",
        MetricName="ApplicationErrors",
        Dimensions=[
            {"Name": "ApplicationInstanceName", "Value": "counter"},
            {"Name": "ApplicationInstanceId", "Value": "counter"},
        ],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in told["Datapoints"]) == 3
    assert SECRET_KEY not in caplog.text
    assert "session-token" not in caplog.text


def test_nothing_is_kept_while_there_are_no_credentials(
    running: Running, token_exchange: TokenExchange, tmp_path: Path
) -> None:
    token_exchange.down = True
    running.start()
    eventually(lambda: running.monitor.spool.size >= 2, "minutes are spooled")
    eventually(lambda: "gives no credentials" in running.monitor.sender.last_error, "the reason is told")
    token_exchange.down = False
    eventually(lambda: running.monitor.sender.last_success_at, "all is sent")
    assert SECRET_KEY.encode() not in (tmp_path / "spool.db").read_bytes()


def test_the_health_of_the_device_is_not_told(running: Running) -> None:
    heard = running.probe.record("vedette/health")
    running.start()
    eventually(lambda: b'"door"' in heard.get(timeout=WITHIN_S)[1], "the topic tells of the camera")

    def reported() -> dict[str, Any]:
        document = running.probe.get_shadow("shop-7", "vedette:health") or {}
        found: dict[str, Any] = document.get("state", {}).get("reported", {})
        return found

    eventually(lambda: [camera["name"] for camera in reported().get("cameras", [])] == ["door"], "so does the shadow")
    assert reported()["device"]["nucleus"] == "2.18.2"
    assert reported()["applications"][0]["state"] == "running"
