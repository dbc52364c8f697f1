"""A camera's password is looked for everywhere: files, logs, shadows, metrics, a bundle, processes, after a crash."""

import json
import os
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.logs.setup import uploader
from vedette_device_monitor.main import Monitor

from tests.waiting import eventually
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.diagnostics import Source, bundle, log_sources
from vedette.messages import CameraState, CameraStatus

from .cameras import Camera
from .suite import EXAMPLES, STREET, VEDETTE, Suite

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get("VEDETTE_LONG_TESTS"), reason="takes half a minute: set VEDETTE_LONG_TESTS=1 to run it"
    ),
]


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera({"street": STREET})
    made.server.start()
    yield made
    made.server.stop()


def processes_with(word: bytes, pids: list[int]) -> list[str]:
    """Return the processes whose arguments or environment hold a word."""
    found = []
    for pid in pids:
        for name in ("cmdline", "environ"):
            try:
                if word in Path(f"/proc/{pid}/{name}").read_bytes():
                    found.append(f"{name} of {pid}")
            except OSError:
                continue
    return found


def files_with(word: bytes, folder: Path) -> list[str]:
    """Return the files below a folder that hold a word."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and word in path.read_bytes()
    ]


def sent_to_cloudwatch(root: Path, work: Path) -> list[tuple[str, str]]:
    """Return (stream, text) of every line that vedette.DeviceMonitor would send to CloudWatch."""
    sent: list[tuple[str, str]] = []

    class Service:
        def call_json(self, action: str, _target: str, content: Mapping[str, Any]) -> dict[str, Any]:
            if action == "logs:PutLogEvents":
                sent.extend((content["logStreamName"], event["message"]) for event in content["logEvents"])
            return {}

        def now(self) -> float:
            return time.time()

    made = uploader(
        MonitorConfiguration(logs=True),
        root=root,
        work=work,
        device="shop",
        region="eu-west-1",
        boot="",
        uptime=time.monotonic,
        caller=Service(),
    )
    made.run_once()
    made.close()
    return sent


def test_the_password_shows_somewhere(start_suite: Callable[..., Suite], camera: Camera, tmp_path: Path) -> None:
    project = tmp_path / "people-counter"
    subprocess.run(["cp", "-r", str(EXAMPLES / "people-counter"), str(project)], check=True)
    word = camera.password.encode()
    suite = start_suite(
        "run", project, "--camera", f"camera_node={camera.url('street')}", "--no-browser", "--port", "0"
    )
    suite.wait_for_pictures()
    tree = psutil.Process(suite.process.pid).children(recursive=True)
    pids = [suite.process.pid, *(process.pid for process in tree)]
    assert len(pids) > 6

    (worker,) = [process for process in tree if "vedette_camera_ingest.worker" in " ".join(process.cmdline())]
    worker.send_signal(signal.SIGSEGV)  # it leaves what a crash leaves
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker has crashed")
    eventually(lambda: suite.camera_states().get("camera_node") == "live", "the camera is back", within_s=60.0)

    seen = {
        "processes": processes_with(word, [*pids, *psutil.pids()]),
        "state": files_with(word, suite.root),
        "sockets and registry": files_with(word, suite.runtime),
        "talk": [suite.talk] * (camera.password in suite.talk),
        "health": [""] * (camera.password in suite.health().to_json()),
    }
    data, names = bundle([*log_sources(suite.root), Source("health.json", suite.health().to_json)])
    with zipfile.ZipFile(BytesIO(data)) as archive:
        seen["bundle"] = [name for name in archive.namelist() if word in archive.read(name)]
    assert len(names) > 4
    sent = sent_to_cloudwatch(suite.root, tmp_path)
    assert {stream for stream, _ in sent} >= {"camera_node", "code_node", "model_node", "occ_log"}
    seen["log streams"] = [stream for stream, text in sent if camera.password in text]
    assert not [text for _, text in sent if "://" in text and "@" in text and "***@" not in text]
    shadow = subprocess.run(
        [str(VEDETTE), "shadow", "get", "--name", "vedette-people-counter", "--json"],
        env=suite.environ,
        capture_output=True,
        check=False,
    )
    assert json.loads(shadow.stdout)
    seen["shadow"] = [""] * (word in shadow.stdout)
    # The local nucleus's secrets, as a developer gave them: in memory, for this user, for as long as it runs.
    (secrets,) = seen.pop("sockets and registry")
    assert Path(secrets).name == "secrets.json"
    assert Path(secrets).stat().st_mode & 0o777 == 0o600
    assert {where: found for where, found in seen.items() if found} == {}
    suite.interrupt()
    assert not Path(secrets).exists()


def test_the_password_of_a_careless_status_shows_in_metrics(tmp_path: Path) -> None:
    """A status with a login in its address, which no component sends: it goes no further than the monitor."""
    broker = MemoryBroker()
    with MemoryBus(broker, "monitor") as bus, MemoryBus(broker, "probe") as probe:
        monitor = Monitor(bus, MonitorConfiguration(jobs=False, health=False), "shop", tmp_path, environ={})
        monitor.listen()
        heard = threading.Event()
        bus.subscribe("vedette/camera/+/status", lambda _topic, _payload: heard.set())
        status = CameraStatus(
            camera_id="c", name="c", state=CameraState.LOST, since=0.0, url="rtsp://u:planted-4711@h/s", pid=1
        )
        probe.publish(CameraStatus.topic("c"), status.encode())
        assert heard.wait(20)
        monitor.take_minute()
        monitor.spool.close()
    assert files_with(b"planted", tmp_path) == []
