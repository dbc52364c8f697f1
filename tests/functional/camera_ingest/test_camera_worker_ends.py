"""A worker ends in under a second in every phase, and with its main process however that dies."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vedette_camera_ingest import channel
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.launching import launch

from vedette.messages import CameraSource
from vedette.rtsp_server import RtspServer

from .camera_clips import write_clip
from .fake_rtsp import VIDEO_SDP, answer, fake_server


class Worker:
    """A worker and this end of its channel."""

    def __init__(self, url: str, work: Path) -> None:
        self.sock, theirs = channel.pair()
        with theirs:
            self.process = launch(theirs)
        self.url = url
        self.sock.settimeout(10)
        self.sock.send(channel.encode(channel.start(CameraSource(name="dock", url=url), str(work / "dock.sock"))))

    def serve_until(self, test: Callable[[channel.Document], object]) -> None:
        while True:
            document = channel.decode(self.sock.recv(channel.MAX_PACKET_BYTES))
            if document["kind"] == "wanted":
                self.sock.send(channel.encode(channel.credentials(Credentials(self.url))))
            if test(document):
                return

    def ends_within(self, limit_s: float) -> bool:
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)
        self.sock.close()


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    made: list[Worker] = []
    yield made
    for worker in made:
        worker.close()


@pytest.mark.parametrize("how", ["order", "signal", "hang-up"])
def test_while_the_server_keeps_silent(tmp_path: Path, workers: list[Worker], how: str) -> None:
    with fake_server(None) as port:
        worker = Worker(f"rtsp://127.0.0.1:{port}/s", tmp_path)
        workers.append(worker)
        worker.serve_until(lambda document: document["kind"] == "wanted")
        worker.serve_until(lambda document: document["kind"] == "status")
        if how == "order":
            worker.sock.send(channel.encode(channel.STOP))
        elif how == "signal":
            worker.process.terminate()
        else:
            worker.sock.close()
        assert worker.ends_within(1.2)
        assert worker.process.returncode == 0


def test_while_libav_opens_the_stream(tmp_path: Path, workers: list[Worker]) -> None:
    with fake_server(answer(200, "OK", VIDEO_SDP), replies=1) as port:
        worker = Worker(f"rtsp://127.0.0.1:{port}/s", tmp_path)
        workers.append(worker)
        for _ in range(3):
            worker.serve_until(lambda document: document["kind"] == "status")
        worker.sock.send(channel.encode(channel.STOP))
        assert worker.ends_within(1.2)


def test_while_a_stalled_stream_is_read(tmp_path: Path, workers: list[Worker], clips: dict[str, Path]) -> None:
    with RtspServer({"a": clips["h264"]}) as server:
        worker = Worker(server.url("a"), tmp_path)
        workers.append(worker)
        worker.serve_until(lambda document: document.get("status", {}).get("state") == "live")
        server.suspend()
        worker.sock.send(channel.encode(channel.STOP))
        assert worker.ends_within(1.2)


def test_while_it_waits_for_the_next_try(tmp_path: Path, workers: list[Worker]) -> None:
    worker = Worker(str(tmp_path / "missing.mp4"), tmp_path)
    workers.append(worker)
    worker.serve_until(lambda document: document.get("status", {}).get("state") == "not-found")
    worker.sock.send(channel.encode(channel.STOP))
    assert worker.ends_within(1.2)


MAIN = """
import sys, threading
from pathlib import Path
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import CameraDemand, CameraSource, CameraStatus
from vedette_camera_ingest.ingest import CameraIngest
broker = MemoryBroker()
bus, app = MemoryBus(broker, "vedette.CameraIngest"), MemoryBus(broker, "app")
def hear(topic, payload):
    pid = CameraStatus.model_validate_json(payload).pid
    if pid:
        print("worker", pid, flush=True)
app.subscribe("vedette/camera/+/status", hear)
stop = threading.Event()
threading.Thread(target=CameraIngest(bus, Path(sys.argv[1]), stop).run, daemon=True).start()
source = CameraSource(name="film", url=sys.argv[2])
for _ in range(150):
    app.publish(CameraDemand.topic(source.camera_id), CameraDemand(source=source, instance="a", node="n").encode())
    stop.wait(0.2)
"""


def test_main_process_killed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=25)
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, str(tmp_path), str(clip)], stdout=subprocess.PIPE, text=True
    ) as main:
        try:
            assert main.stdout is not None
            pid = next(int(line.split()[1]) for line in main.stdout if line.startswith("worker"))
            assert _alive(pid)
        finally:
            main.kill()
        deadline = time.monotonic() + 20
        while _alive(pid) and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
