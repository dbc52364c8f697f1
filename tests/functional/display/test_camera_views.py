"""A camera's own picture on the page and elsewhere: its main stream, read from a real camera while somebody looks."""

import http.client
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from vedette_camera_ingest.ingest import CameraIngest

from tests.waiting import eventually
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import REPEAT_S, CameraDemand, CameraSource, CameraState, CameraStatus
from vedette.rtsp_server import RtspServer

from .conftest import CHROMIUM, NO_CHROMIUM, wait_for_text

SMALL, MAIN = (320, 180), (1280, 720)
LONG = pytest.mark.skipif("VEDETTE_TEST_SUBSTREAMS" not in os.environ, reason="takes long; VEDETTE_TEST_SUBSTREAMS=1")


def write_clip(path: Path, size: tuple[int, int], frames: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", 12
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for index in range(frames):
            image = np.full((size[1], size[0], 3), 90, "uint8")
            cv2.rectangle(image, (index * size[0] // 40, 20), (index * size[0] // 40 + 40, 60), (0, 200, 0), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


class Yard:
    """A camera with two streams, its ingest, and an application that wants its pictures."""

    def __init__(self, broker: MemoryBroker, folder: Path, server: RtspServer, main: str = "main") -> None:
        self.source = CameraSource(name="yard", url=server.url(main), sub=server.url("sub"))
        self._bus, self._app = MemoryBus(broker, "vedette.CameraIngest"), MemoryBus(broker, "application")
        self._heard = self._app.record(CameraStatus.topic(self.source.camera_id))
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=CameraIngest(self._bus, folder / "ingest", self._stop, linger_s=0.5).run),
            threading.Thread(target=self._want),
        ]
        for thread in self._threads:
            thread.start()
        self.until(lambda status: status.state is CameraState.LIVE, "the small stream is live")

    def status(self) -> CameraStatus | None:
        newest = None
        while not self._heard.empty():
            newest = CameraStatus.model_validate_json(self._heard.get()[1])
        return newest

    def until(self, test: Callable[[CameraStatus], bool], what: str) -> CameraStatus:
        return eventually(lambda: s if (s := self.status()) and test(s) else None, what)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._bus.close()
        self._app.close()

    def _want(self) -> None:
        demand = CameraDemand(source=self.source, instance="counter", node="camera_node").encode()
        while True:
            self._app.publish(CameraDemand.topic(self.source.camera_id), demand)
            if self._stop.wait(REPEAT_S):
                return


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("yard")
    streams = {
        "main": write_clip(folder / "main.mp4", MAIN),
        "sub": write_clip(folder / "sub.mp4", SMALL),
    }
    with RtspServer(streams) as running:
        yield running


@pytest.fixture
def start_yard(broker: MemoryBroker, tmp_path: Path, server: RtspServer) -> Iterator[Callable[..., Yard]]:
    yards: list[Yard] = []

    def start(main: str = "main") -> Yard:
        yards.append(Yard(broker, tmp_path, server, main))
        return yards[-1]

    yield start
    for yard in yards:
        yard.close()


def get(display: Any, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", display.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def size_of(jpeg: bytes) -> tuple[int, int]:
    image = cv2.imdecode(np.frombuffer(jpeg, "uint8"), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[1], image.shape[0]


def sizes_of(movie: bytes) -> set[tuple[int, int]]:
    container: Any
    with av.open(io.BytesIO(movie)) as container:
        return {(frame.width, frame.height) for frame in container.decode(video=0)}


def picture(display: Any, stream: str) -> bytes | None:
    status, jpeg, headers = get(display, "/cameras/yard.jpg?width=1920")
    return jpeg if status == 200 and headers["X-Vedette-Stream"] == stream else None


def known(display: Any) -> None:
    eventually(lambda: get(display, "/cameras/none.jpg")[1].count(b"yard"), "the display knows the camera")


def main_of(status: CameraStatus) -> CameraState:
    assert status.main is not None
    return status.main.state


def test_picture_clip_or_stream_of_a_camera_is_its_small_one_or_leaves_the_main_one_open(
    display: Any, start_yard: Callable[..., Yard]
) -> None:
    yard = start_yard()
    known(display)
    # A machine that is very busy may show the small stream at first.
    jpeg = eventually(lambda: picture(display, "main"), "a picture of the main stream")
    assert size_of(jpeg) == MAIN
    yard.until(lambda s: main_of(s) is CameraState.PAUSED, "the main stream is closed again")
    port = int(eventually(lambda: rtsp_port(display), "the display serves RTSP"))
    with av.open(f"rtsp://127.0.0.1:{port}/camera/yard", options={"rtsp_transport": "tcp"}, timeout=30) as container:
        frames = ((frame.width, frame.height) for frame in container.decode(video=0))
        assert next(size for size in frames if size == MAIN)
        status = yard.until(lambda s: main_of(s) is CameraState.LIVE, "the main stream is open")
        assert status.main is not None
        assert status.main.wanted_for == ["stream"]
        movie = get(display, f"/cameras/{yard.source.camera_id}.mp4?seconds=1")[1]
        archive = get(display, "/cameras/yard.zip")[1]
    assert MAIN in sizes_of(movie)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        facts = json.loads(files.read("snapshot.json"))
        assert (facts["width"], facts["camera"]["name"]) == (1280, "yard")
        assert files.read("picture.jpg")[:2] == b"\xff\xd8"
    yard.until(lambda s: main_of(s) is CameraState.PAUSED, "the main stream is closed again")
    assert get(display, "/cameras/shed.jpg")[:2] == (404, b"There is no camera 'shed'. Cameras now: yard.\n")


@LONG
def test_camera_whose_main_stream_is_missing_shows_nothing(display: Any, start_yard: Callable[..., Yard]) -> None:
    yard = start_yard("gone")
    known(display)
    jpeg = eventually(lambda: picture(display, "sub"), "a picture of the small stream")
    assert size_of(jpeg) == SMALL
    assert sizes_of(get(display, "/cameras/yard.mp4?seconds=1")[1]) == {SMALL}
    (camera,) = json.loads(get(display, "/api/health")[1])["cameras"]
    assert camera["state"] == "live"
    yard.until(lambda s: s.state is CameraState.LIVE, "the small stream goes on")


@LONG
def test_recording_has_the_small_stream_alone_or_leaves_the_main_one_open(
    start_display: Any, start_application: Any, start_yard: Callable[..., Yard]
) -> None:
    display = start_display(recording={"megabytes": 20, "beforeS": 1})
    yard = start_yard()
    known(display)
    application = start_application("counter", "yard", size=SMALL, camera_id=yard.source.camera_id)
    eventually(lambda: display.status().encoded > 5, "something is held")
    wish = {"id": "7", "reason": "fall", "before": 0, "after": 4}
    application.overlays = {**application.overlays, "clip": wish}

    def recordings() -> dict[str, Any]:
        answer = json.loads(get(display, "/api/recordings?instance=counter")[1])["recordings"]
        return {recording["stream"]: recording for recording in answer}

    found = eventually(lambda: r if len(r := recordings()) == 2 else None, "both are on the shelf")
    sizes = {stream: sizes_of(get(display, f"/recordings/{each['name']}.mp4")[1]) for stream, each in found.items()}
    assert sizes == {"yard": {SMALL}, "yard, main stream": {MAIN}}
    yard.until(lambda s: main_of(s) is CameraState.PAUSED, "the main stream is closed again")


def rtsp_port(display: Any) -> str:
    from .test_live_pictures import open_page

    with open_page(display, query=display.page.partition("?")[2]) as page:
        found = page.until(lambda: page.state.get("streams"))
        return str(next(iter(found.values()))["annotated"].split("/")[2].rpartition(":")[2])


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_page_of_a_camera_opens_no_main_stream_or_keeps_it(
    display: Any, start_yard: Callable[..., Yard], open_browser: Any
) -> None:
    yard = start_yard()
    page = open_browser(f"{display.page}#/cameras")
    wait_for_text(page, ".subject", "yard")
    status = yard.until(lambda s: bool(s.main), "a status")
    assert main_of(status) is CameraState.PAUSED, "the list of cameras opens nothing"
    page.locator("a.subject", has_text="yard").click()
    wait_for_text(page, ".page .chip", "LIVE")
    yard.until(lambda s: main_of(s) is CameraState.LIVE, "the main stream is open")
    wait_for_text(page, ".card-streams", "page")
    page.wait_for_function("() => document.querySelector('.page .tile canvas').width > 640")
    page.locator(".page .tile .name").click()
    wait_for_text(page, "#opened .chip", "LIVE")
    wait_for_text(page, "#panel .card-save", "rtsp://")
    page.keyboard.press("Escape")
    yard.until(lambda s: main_of(s) is CameraState.PAUSED, "the main stream is closed again")
