"""What `vedette metrics --estimate` says is what a device does."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.main import Clocks, Monitor

from vedette.bus.memory import MemoryBus
from vedette.messages import (
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DisplayStatus,
    ModelState,
    ModelStatus,
    UploadStatus,
)
from vedette.metrics import DEFAULT_GROUPS, GROUPS, Group
from vedette.metrics.estimate import Fleet, estimate

VEDETTE = Path(sys.executable).with_name("vedette")


class Cloud:
    """Counts calls and the metrics in them."""

    clock_checked = True

    def __init__(self, clock: dict[str, float]) -> None:
        self.calls = 0
        self.metrics: set[tuple[str, ...]] = set()
        self._clock = clock

    def now(self) -> float:
        return 1_800_000_000.0 + self._clock["now"]

    def call(self, _action: str, body: bytes, headers: dict[str, str]) -> None:
        plain = gzip.decompress(body) if "Content-Encoding" in headers else body
        self.calls += 1
        pairs = [(key.split(".", 3), value) for key, value in parse_qsl(plain.decode()) if key.startswith("MetricData")]
        for number in {key[2] for key, _ in pairs}:
            own = [(key[3], value) for key, value in pairs if key[2] == number]
            self.metrics.add(
                tuple(value for name, value in own if name == "MetricName" or name.startswith("Dimensions"))
            )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder where a write to the disk costs nothing, if there is one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as name:
        yield Path(name)


@pytest.mark.parametrize(("interval_s", "groups"), [(60, DEFAULT_GROUPS), (300, GROUPS)])
def test_an_hour_has_other_calls_or_metrics_than_estimated(
    folder: Path, interval_s: int, groups: tuple[Group, ...]
) -> None:
    clock = {"now": 0.0}
    clocks = Clocks(lambda: clock["now"], lambda: 1_800_000_000.0 + clock["now"], lambda: clock["now"])
    cloud = Cloud(clock)
    with MemoryBus() as bus:
        configuration = MonitorConfiguration(interval_s=interval_s, groups=groups)
        monitor = Monitor(bus, configuration, "shop-7", folder, clocks=clocks, caller=cloud)
        monitor.listen()
        heard: Any = monitor._hear
        for _ in range(60):
            for n in range(3):
                camera = CameraStatus(
                    camera_id=f"c{n}", name=f"c{n}", state=CameraState.LIVE, since=0.0, last_frame_at=1.0, pid=1
                )
                heard(CameraStatus.topic(camera.camera_id), camera.encode())
            for n in range(2):
                application = ApplicationStatus(
                    instance=f"a{n}", application="x", state=ApplicationState.RUNNING, since=0.0, fps=1.0, model_ms=2.0
                )
                heard(ApplicationStatus.topic(application.instance), application.encode())
            model = ModelStatus(model_id="a" * 16, name="m", state=ModelState.READY, since=0.0, latency_ms=3.0, pid=1)
            heard(ModelStatus.topic(model.model_id), model.encode())
            uploads = [UploadStatus(what=f"video s{n}", stream=f"s{n}", since=0.0) for n in range(2)]
            heard(DisplayStatus.topic(), DisplayStatus(page="", uploads=uploads).encode())
            monitor.take_minute()
            monitor.sender.run_once()
            clock["now"] += 60.0
        monitor.spool.close()
    warm = any(metric[0] == "Temperature" for metric in cloud.metrics)
    found = estimate(Fleet(1, 3, 1, 2, interval_s, groups, temperature=warm, streams=2))
    assert cloud.calls == found.calls_a_device_and_day / 24
    assert len(cloud.metrics) == found.metrics_a_device


def test_prices_do_not_fall_with_the_number() -> None:
    assert estimate(Fleet(1, 0, 0, 0, groups=())).dollars_a_month_metrics == 0.30
    large = estimate(Fleet(1000, 20, 0, 0, groups=("cameras",)))
    assert large.metrics == 121_000
    assert large.dollars_a_month_metrics == 10_000 * 0.30 + 111_000 * 0.10


def test_the_command_says_something_else() -> None:
    done = vedette("--estimate", "--devices", "40", "--json")
    assert json.loads(done.stdout)["estimate"]["metrics"] == 40 * estimate(Fleet(1, 1, 1, 1)).metrics_a_device
    everything = json.loads(vedette("--estimate", "--devices", "40", "--groups", "all", "--json").stdout)
    assert everything["estimate"]["metrics"] == 40 * estimate(Fleet(1, 1, 1, 1, groups=GROUPS)).metrics_a_device
    wrong = vedette("--groups", "cats")
    assert wrong.returncode == 2
    assert "cats" in wrong.stderr


def vedette(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(VEDETTE), "metrics", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
