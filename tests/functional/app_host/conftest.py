"""A host with real application processes, on a bus in memory; cameras and a model server are the test's own."""

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_app_runtime.environments import Environment
from vedette_app_runtime.host import Host
from vedette_app_runtime.restarts import RestartPolicy
from vedette_app_runtime.sandbox import choose

from vedette.application import ApplicationManifest
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import ApplicationStatus, CameraSource, OutputStatus
from vedette.rings import Lease, RingReader, connect

from .camera_stand_in import StandInCamera
from .model_stand_in import StandInModel

FIXTURES = Path(__file__).parents[2] / "fixtures/applications"
INSTANCE = "test-app"


def this_environment() -> Environment:
    """Return the environment the tests run in, as an application's."""
    prefix = Path(sys.prefix)
    return Environment(prefix / "bin/python", prefix / "bin", (prefix, Path(sys.base_prefix)), "the tests' own")


def sandbox_here() -> str:
    """Return the sandbox mode to test with: the real one wherever it works."""
    return "required" if choose("preferred").kind == "bubblewrap" else "off"


class Rig:
    """One application and everything around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work" / f"vedette.app.{INSTANCE}"
        self.work.mkdir(parents=True)
        self.application = folder / "application"
        (self.application / "panorama").mkdir(parents=True)
        self.broker = MemoryBroker()
        self.probe = MemoryBus(self.broker, "probe")
        self.statuses = self.probe.record(ApplicationStatus.topic("+"))
        self.output_statuses = self.probe.record(OutputStatus.topic("+"))
        self.cameras: list[StandInCamera] = []
        self.models: list[StandInModel] = []
        self.configuration: dict[str, Any] = {
            "instance": INSTANCE,
            "cameras": {},
            "parameters": {},
            "sandbox": sandbox_here(),
        }
        self.manifest: dict[str, Any] = {
            "name": "tests",
            "code_package": "TESTS",
            "version": "1.0",
            "entry": {"path": "python3", "name": "/panorama/application.py"},
            "inputs": [],
            "outputs": [],
            "models": [],
        }
        self.bus: MemoryBus | None = None
        self.policy = RestartPolicy()
        self._stop = threading.Event()
        self._lookers: list[Looker] = []
        self._thread: threading.Thread | None = None

    def use(self, *names: str) -> None:
        """Put fixture files into the application; the first one is what is started."""
        for name in names:
            target = "application.py" if name == names[0] and name.endswith(".py") else name
            (self.application / "panorama" / target).write_bytes((FIXTURES / name).read_bytes())

    def source(self, text: str) -> None:
        """Make ``text`` the application."""
        (self.application / "panorama/application.py").write_text(text)

    def camera(self, name: str, **options: Any) -> StandInCamera:
        """Attach a camera to video_in; it gives frames once it is started."""
        launch = options.pop("launch", "onAppStart")
        source = CameraSource(name=name, url=f"rtsp://{name}.example/stream")
        camera = StandInCamera(source, self.probe, self.folder, **options)
        self.cameras.append(camera)
        if not any(each["port"] == "video_in" for each in self.manifest["inputs"]):
            self.manifest["inputs"].append({"kind": "media", "port": "video_in", "nodes": ["front"]})
        attached = {**source.model_dump(mode="json"), "launch": launch}
        self.configuration["cameras"].setdefault("front", []).append(attached)
        return camera

    def parameter(self, port: str, kind: str, default: Any) -> None:
        """Add a parameter port, connected to the node of the same name with ``_node`` behind it."""
        self.manifest["inputs"].append(
            {"kind": "parameter", "port": port, "node": f"{port}_node", "type": kind, "default": default}
        )

    def output(self, port: str = "video_out", node: str | None = "display") -> None:
        """Add an output port."""
        self.manifest["outputs"].append({"port": port, "node": node})

    def model(self, node: str, model: StandInModel) -> StandInModel:
        """Add a model node."""
        self.models.append(model)
        self.manifest["models"].append(
            {
                "node": node,
                "component": f"vedette.model.{node}",
                "file": "model.onnx",
                "format": "onnx",
                "model_id": model.model_id,
            }
        )
        return model

    def write_manifest(self) -> ApplicationManifest:
        """Write application.json."""
        manifest = ApplicationManifest.model_validate(self.manifest)
        (self.application / "application.json").write_bytes(manifest.encode())
        return manifest

    def start(self, **options: Any) -> None:
        """Run the host in a thread."""
        manifest = self.write_manifest()
        self.bus = MemoryBus(self.broker, f"vedette.app.{INSTANCE}", configuration=self.configuration)
        options.setdefault("prepare", lambda _progress, _stop: this_environment())
        ready: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def run() -> None:
            assert self.bus is not None
            try:
                host = Host(self.bus, manifest, self.application, self.work, policy=self.policy, **options)
            except Exception as error:  # noqa: BLE001 - handed to the test
                ready.put(error)
                return
            ready.put(None)
            host.run(self._stop)

        self._thread = threading.Thread(target=run, name="host")
        self._thread.start()
        failed = ready.get(timeout=10)
        if failed is not None:
            raise failed

    def configure(self, **changes: Any) -> None:
        """Deploy other configuration."""
        assert self.bus is not None
        self.configuration.update(changes)
        self.bus.set_configuration(self.configuration)

    def stop(self) -> None:
        """Stop the host; it has to end in under 3 s."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(3)
            assert not self._thread.is_alive(), "the host did not stop within 3 s"

    def close(self) -> None:
        """End everything."""
        try:
            self.stop()
        finally:
            everything: list[Any] = [*self._lookers, *self.cameras, *self.models]
            for each in everything:
                each.close()
            if self.bus is not None:
                self.bus.close()
            self.probe.close()

    def status(self, wanted: Callable[[ApplicationStatus], bool], timeout_s: float = 15) -> ApplicationStatus:
        """Wait for a status that fits."""
        found: ApplicationStatus = _wait(self.statuses, ApplicationStatus, wanted, timeout_s, self.console)
        return found

    def output_status(self, wanted: Callable[[OutputStatus], bool], timeout_s: float = 15) -> OutputStatus:
        """Wait for an output's status that fits."""
        found: OutputStatus = _wait(self.output_statuses, OutputStatus, wanted, timeout_s, self.console)
        return found

    def console(self) -> str:
        """Return what the application has printed."""
        path = self.work / "logs/console_output"
        return path.read_text() if path.exists() else ""

    def said(self, kind: str, timeout_s: float = 15, count: int = 1) -> list[Any]:
        """Wait until the application has printed ``count`` JSON lines ``{kind: value}``; return the values."""
        deadline = time.monotonic() + timeout_s
        while True:
            values = []
            for line in self.console().splitlines():
                try:
                    document = json.loads(line)
                except ValueError:
                    continue
                if isinstance(document, dict) and kind in document:
                    values.append(document[kind])
            if len(values) >= count:
                return values
            assert time.monotonic() < deadline, f"{kind} was not said {count} times:\n{self.console()}"
            self._stop.wait(0.02)

    def look(self, stream: str, port: str = "video_out") -> "Looker":
        """Read an output's frames, as the display does."""
        status = self.output_status(lambda s: s.stream == stream and s.port == port)
        looker = Looker(RingReader(connect(status.socket, 2.0)))
        self._lookers.append(looker)
        return looker


class Looker:
    """A reader of an output ring."""

    def __init__(self, reader: RingReader) -> None:
        self.reader = reader

    def frame(self, timeout_s: float = 10) -> tuple[Lease, Any]:
        """Return a frame's lease, whose buffer must not be used any more, and a copy of its bytes."""
        lease = self.reader.receive(timeout_s)
        assert lease is not None, "no frame came out"
        pixels = np.frombuffer(lease.buffer, np.uint8).copy()
        lease.release()
        return lease, pixels

    def close(self) -> None:
        self.reader.close()


def _wait(
    heard: "queue.SimpleQueue[tuple[str, bytes]]",
    model: Any,
    wanted: Callable[[Any], bool],
    timeout_s: float,
    console: Callable[[], str],
) -> Any:
    deadline = time.monotonic() + timeout_s
    last = None
    while (left := deadline - time.monotonic()) > 0:
        try:
            _, payload = heard.get(timeout=left)
        except queue.Empty:
            break
        last = model.model_validate_json(payload)
        if wanted(last):
            return last
    raise AssertionError(f"no such {model.__name__}; the last one: {last!r}\nconsole:\n{console()}")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    try:
        yield made
    finally:
        made.close()
