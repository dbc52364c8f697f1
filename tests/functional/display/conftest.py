"""A display in this process on a bus in memory, and applications that feed real rings."""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from vedette_display.machine import device_name
from vedette_display.main import main

from vedette.application.shadow import shadow_name
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import (
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DisplayStatus,
    ModelState,
    ModelStatus,
    OutputStatus,
    ParameterStatus,
)
from vedette.rings import BGR24, I420, FrameHeader, RingWriter, frame_bytes, listen

PATIENCE_S = 40.0
CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "chromium is not installed (apt install chromium)"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class FakeApplication:
    """An application instance with one camera, a model and one output, told of on the bus, with a real ring.

    Its host follows the instance's shadow as docs/ref/shadow.md says, as far as the page uses it.
    """

    def __init__(
        self,
        bus: MemoryBus,
        folder: Path,
        instance: str = "people-counter",
        camera: str = "lobby",
        *,
        size: tuple[int, int] = (640, 360),
        pixel_format: int = BGR24,
        fps: float = 15.0,
        putting: bool = True,
        camera_id: str | None = None,
    ) -> None:
        """:param camera_id: of a camera that is told of by somebody else."""
        self.bus = bus
        self._others_camera = camera_id
        self.instance, self.camera = instance, camera
        self.output_id = f"{instance}.video_out.{camera}"
        self.socket = str(folder / f"{self.output_id}.sock")
        self.size, self.pixel_format, self.fps = size, pixel_format, fps
        self.application: dict[str, Any] = {"state": ApplicationState.RUNNING}
        self.video: dict[str, Any] = {"state": CameraState.LIVE}
        self.model: dict[str, Any] = {"state": ModelState.READY}
        self.overlays: dict[str, Any] = {
            "labels": [["Person 42 %", 0.1, 0.2]],
            "rects": [[0.1, 0.2, 0.4, 0.8]],
        }
        self.parameters: dict[str, dict[str, Any]] = {
            "threshold": {
                "node": "thr", "value": 35.0, "origin": "deployment", "reads": 1, "type": "float32",
                "title": "Threshold", "help": "minimum confidence, %",
            },
            "log_level": {"value": "INFO", "origin": "graph", "reads": 2841},
            "region": {"value": "eu-west-1", "origin": "override"},
            "blur": {"node": "blur", "value": False, "origin": "graph", "reads": 7, "type": "boolean"},
        }  # fmt: skip
        self.deployed = {name: dict(values) for name, values in self.parameters.items()}
        self.paused: list[str] = []
        self.restarts = 0
        self.putting = threading.Event()
        self.telling = threading.Event()
        self.last_frame_at: float | None = None
        self.started_at = time.time()
        self.base = np.full((size[1], size[0], 3), (90, 110, 100), np.uint8)
        self._stop = threading.Event()
        self.ring = RingWriter(listen(self.socket), name=self.output_id)
        self._threads = [
            threading.Thread(target=self._put_frames, daemon=True),
            threading.Thread(target=self._tell, daemon=True),
        ]
        if putting:
            self.putting.set()
        self.telling.set()
        for thread in self._threads:
            thread.start()

    @property
    def camera_id(self) -> str:
        return self._others_camera or f"{self.camera}-01234567"

    def log(self, folder: Path, *lines: str) -> None:
        """Write to the console, as the host keeps it."""
        logs = folder / f"vedette.app.{self.instance}" / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "console_output").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def crash(self) -> None:
        """The application's process dies: no more pictures, and the ring is gone."""
        self.putting.clear()
        self.ring.close()
        self.application = {
            "state": ApplicationState.CRASHED,
            "detail": "KeyError: 'model_node' at application.py:88, exit 1, 3rd time",
            "exit_code": 1,
            "restarts": 3,
            "next_try_s": 8.0,
            "since": time.time(),
        }
        self.tell_once()

    def come_back(self) -> None:
        """The application's process is there again."""
        self.ring = RingWriter(listen(self.socket), name=self.output_id)
        self.application = {"state": ApplicationState.RUNNING, "restarts": 4, "since": time.time()}
        self.putting.set()
        self.tell_once()

    def close(self) -> None:
        self._stop.set()
        self.putting.set()
        for thread in self._threads:
            thread.join(5.0)
        self.ring.close()

    def put_one(self, number: int) -> None:
        """Put a frame whose brightness block walks with its number."""
        width, height = self.size
        nbytes = frame_bytes(self.pixel_format, width, height)
        slot = self.ring.reserve(nbytes)
        if slot is None:
            return
        image = self.base.copy()
        x = int((number * 7) % (width - width // 8))
        image[height // 2 : height // 2 + height // 6, x : x + width // 8] = (60, 200, 240)
        if self.pixel_format == I420:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)
        np.frombuffer(slot.buffer, np.uint8)[:] = image.reshape(-1)
        header = FrameHeader(0, time.time_ns(), time.monotonic_ns(), width, height, self.pixel_format)
        self.ring.publish(slot, header, json.dumps(self.overlays).encode())
        self.last_frame_at = time.time()

    def tell_once(self) -> None:
        """Publish every status."""
        bus, fps = self.bus, self.fps if self.putting.is_set() else 0.0
        if self._others_camera is None:
            self._tell_camera(fps)
        bus.publish(
            ModelStatus.topic(f"{self.instance}-m"),
            ModelStatus.model_validate(
                {
                    "model_id": f"{self.instance}-m", "name": "ssd_512_resnet50.onnx", "since": self.started_at,
                    "provider": "CPU", "latency_ms": 7.1, "calls_per_s": fps, "load_s": 1.9, **self.model,
                }
            ).encode(),
        )  # fmt: skip
        bus.publish(
            ApplicationStatus.topic(self.instance),
            ApplicationStatus.model_validate(
                {
                    "instance": self.instance, "application": "aws-panorama-sample", "since": self.started_at - 10800,
                    "sandbox": "bubblewrap", "environment": "Python 3.8 (descriptor.json)", "fps": fps,
                    "model_ms": 7.4, "cameras": {"video_in": [self.camera_id]},
                    "models": {"model_node": f"{self.instance}-m"},
                    "outputs": [self.output_id] if self.last_frame_at else [],
                    "parameters": [
                        ParameterStatus.model_validate({"name": name, **values})
                        for name, values in self.parameters.items()
                    ],
                    "paused": self.paused, "restarts": self.restarts,
                    **self.application,
                }
            ).encode(),
        )  # fmt: skip
        if self.last_frame_at is not None and self.application["state"] is ApplicationState.RUNNING:
            bus.publish(
                OutputStatus.topic(self.output_id),
                OutputStatus.model_validate(
                    {
                        "output_id": self.output_id, "instance": self.instance, "application": "aws-panorama-sample",
                        "node": "hdmi", "port": "video_out", "stream": self.camera, "camera_id": self.camera_id,
                        "socket": self.socket, "since": self.started_at, "fps": fps, "width": self.size[0],
                        "height": self.size[1], "last_frame_at": self.last_frame_at,
                    }
                ).encode(),
            )  # fmt: skip

    def _tell_camera(self, fps: float) -> None:
        self.bus.publish(
            CameraStatus.topic(self.camera_id),
            CameraStatus.model_validate(
                {
                    "camera_id": self.camera_id, "name": self.camera, "since": self.started_at, "codec": "H.264",
                    "url": f"rtsp://10.0.0.21:554/{self.camera}", "fps": fps, "source_width": 2560,
                    "source_height": 1440, "width": self.size[0], "height": self.size[1],
                    "last_frame_at": self.last_frame_at, "users": [self.instance], **self.video,
                }
            ).encode(),
        )  # fmt: skip

    def _put_frames(self) -> None:
        number, due = 0, time.monotonic()
        while not self._stop.is_set():
            self.putting.wait()
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            due = max(due + 1 / self.fps, time.monotonic() - 1 / self.fps)
            if self.putting.is_set():
                number += 1
                self.put_one(number)

    def obey(self) -> None:
        """Take in what the shadow wants, and report it."""
        name = shadow_name(self.instance)
        shadow = self.bus.get_shadow(device_name(), name)
        desired = {} if shadow is None else shadow["state"].get("desired", {})
        reported = {} if shadow is None else shadow["state"].get("reported", {})
        wanted = desired.get("parameters", {})
        for port, values in self.parameters.items():
            if values.get("node") in wanted:
                value = wanted[values["node"]]
                reads = values["reads"] if values["value"] == value else 0
                values.update(value=value, origin="shadow", reads=reads)
            else:
                values.update(value=self.deployed[port]["value"], origin=self.deployed[port]["origin"])
        self.paused = [self.camera_id] if desired.get("cameras", {}).get(self.camera) == "PAUSE" else []
        if desired.get("restart") != reported.get("restart"):
            self.restarts += 1
        mine = {v["node"]: v for v in self.parameters.values() if "node" in v}
        now = {
            "parameters": {node: values["value"] for node, values in mine.items()},
            "origins": {node: values["origin"] for node, values in mine.items()},
            "cameras": {self.camera: "PAUSE" if self.paused else "RESUME"},
            "restart": desired.get("restart"),
            # As a host that checks the constraint does.
            "rejected": {"parameters.thr": "at most 100"} if wanted.get("thr", 0) > 100 else None,
        }
        if shadow is not None:
            self.bus.update_shadow(device_name(), name, {"state": {"reported": now}})

    def _tell(self) -> None:
        while not self._stop.wait(0.25):
            self.obey()
            if self.telling.is_set():
                self.tell_once()


class Display:
    """vedette.Display in this process."""

    def __init__(self, broker: MemoryBroker, **configuration: Any) -> None:
        self.bus = MemoryBus(broker, "vedette.Display", configuration={"port": 0, "rtspPort": 0, **configuration})
        self.statuses = self.bus.record(DisplayStatus.topic())
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.page = self.status().page

    @property
    def address(self) -> str:
        """Of the page, without the key."""
        return self.page.partition("?")[0]

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def status(self) -> DisplayStatus:
        """Return the next status."""
        while not self.statuses.empty():
            self.statuses.get()
        return DisplayStatus.model_validate_json(self.statuses.get(timeout=PATIENCE_S)[1])

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.bus.close()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            main(self.bus, self._stop)
        except BaseException as error:
            self.error = error
            raise


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def start_display(
    broker: MemoryBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Display]]:
    """Start displays; those still running are stopped at the end."""
    # Beside the work folders of the applications, as on a nucleus.
    (tmp_path / "vedette.Display").mkdir()
    monkeypatch.chdir(tmp_path / "vedette.Display")
    with contextlib.ExitStack() as stack:

        def start(**configuration: Any) -> Display:
            display = Display(broker, **configuration)
            stack.callback(display.stop)
            return display

        yield start


@pytest.fixture
def display(start_display: Callable[..., Display]) -> Display:
    return start_display()


@pytest.fixture
def start_application(broker: MemoryBroker, tmp_path: Path) -> Iterator[Callable[..., FakeApplication]]:
    """Start applications; they end with the test."""
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(MemoryBus(broker, "applications"))

        def start(*names: str, **options: Any) -> FakeApplication:
            application = FakeApplication(bus, tmp_path, *names, **options)
            stack.callback(application.close)
            return application

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_browser(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages; each must end without an error of its own and without asking another host for anything."""
    pages: list[Page] = []
    wrong: list[str] = []

    def start(address: str, width: int = 1280, height: int = 800, **options: Any) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.set_default_timeout(20_000)
        host = address.split("/")[2]
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("blob:", "data:")) or request.url.split("/")[2] == host
                else wrong.append(f"asked {request.url}")
            ),
        )
        page.goto(address)
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.close()
    assert wrong == []


def wait_for_text(page: Page, selector: str, text: str) -> None:
    page.locator(selector, has_text=text).first.wait_for()
