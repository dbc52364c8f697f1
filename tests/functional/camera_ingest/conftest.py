"""A real CameraIngest with real worker processes on an in-process bus, real files and a real RTSP server."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vedette_camera_ingest.ingest import LINGER_S, CameraIngest

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import REPEAT_S, CameraDemand, CameraSource, CameraState, CameraStatus
from vedette.rings import Lease, RingClosed, RingError, RingReader, connect
from vedette.rtsp_server import RtspServer

from .camera_clips import write_clip

PASSWORD = "p@ss/w:rd#1%"
USER = "viewer"


class Stand:
    """Plays the application: asks for cameras, hears their states, reads their frames."""

    def __init__(self, work: Path, *, linger_s: float = LINGER_S) -> None:
        broker = MemoryBroker()
        self.bus = MemoryBus(broker, "vedette.CameraIngest")
        self.app = MemoryBus(broker, "application")
        self.work = work
        self.stop = threading.Event()
        self.heard: list[CameraStatus] = []
        self._changed = threading.Condition()
        self._wanted: dict[str, CameraSource] = {}
        self._looked_at: dict[str, CameraSource] = {}
        self.app.subscribe("vedette/camera/+/status", self._hear)
        self._threads = [
            threading.Thread(target=CameraIngest(self.bus, work, self.stop, linger_s=linger_s).run),
            threading.Thread(target=self._repeat),
        ]
        for thread in self._threads:
            thread.start()

    def want(self, source: CameraSource) -> None:
        self._wanted[source.camera_id] = source
        self._send(source)

    def want_no_more(self, source: CameraSource) -> None:
        del self._wanted[source.camera_id]
        self._send(source, wanted=False)

    def look_at(self, source: CameraSource) -> None:
        """Ask for the camera's main stream, as the page does."""
        self._looked_at[source.camera_id] = source
        self._send(source, main=True)

    def look_away(self, source: CameraSource) -> None:
        del self._looked_at[source.camera_id]
        self._send(source, main=True, wanted=False)

    def wait_for(self, test: Callable[[CameraStatus], object], timeout_s: float = 30.0) -> CameraStatus:
        """Return the first status, of those to come too, that passes."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self._changed:
            while True:
                for status in self.heard[seen:]:
                    if test(status):
                        return status
                seen = len(self.heard)
                if not self._changed.wait(deadline - time.monotonic()):
                    states = [(status.state.value, status.detail) for status in self.heard]
                    raise AssertionError(f"the status waited for did not come within {timeout_s} s: {states}")

    def wait_for_state(self, state: CameraState, timeout_s: float = 30.0) -> CameraStatus:
        return self.wait_for(lambda status: status.state is state, timeout_s)

    def forget(self) -> None:
        """Drop the statuses heard so far."""
        with self._changed:
            self.heard.clear()

    def forget_old(self) -> None:
        """Keep the newest hundred statuses."""
        with self._changed:
            del self.heard[:-100]

    def reader(self, credit: int = 1) -> RingReader:
        status = self.wait_for(lambda status: status.socket)
        assert status.socket
        return RingReader(connect(status.socket, 2.0), credit)

    def reader_of(self, name: str, credit: int = 1, timeout_s: float = 30.0) -> RingReader:
        """Return a reader of one camera of several."""
        status = self.wait_for(lambda status: status.name == name and status.socket, timeout_s)
        assert status.socket
        return RingReader(connect(status.socket, 2.0), credit)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(5)
        self.app.close()
        self.bus.close()
        assert not [thread for thread in self._threads if thread.is_alive()]

    def _hear(self, _topic: str, payload: bytes) -> None:
        with self._changed:
            self.heard.append(CameraStatus.model_validate_json(payload))
            self._changed.notify_all()

    def _repeat(self) -> None:
        while not self.stop.wait(REPEAT_S):
            for source in list(self._wanted.values()):
                self._send(source)
            for source in list(self._looked_at.values()):
                self._send(source, main=True)

    def _send(self, source: CameraSource, *, wanted: bool = True, main: bool = False) -> None:
        who = ("vedette.Display", "page") if main else ("app", source.name)
        demand = CameraDemand(source=source, instance=who[0], node=who[1], wanted=wanted, main=main)
        self.app.publish(CameraDemand.topic(source.camera_id), demand.encode())


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    here = Stand(tmp_path)
    try:
        yield here
    finally:
        here.close()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "h264": write_clip(folder / "h264.mp4"),
        "h265": write_clip(folder / "h265.mp4", codec="libx265"),
        "mjpeg": write_clip(folder / "mjpeg.mov", codec="mjpeg", pixel_format="yuvj420p", frames=10),
        "4k": write_clip(folder / "4k.mp4", width=3840, height=2160, frames=5),
    }


@pytest.fixture
def server(clips: dict[str, Path]) -> Iterator[RtspServer]:
    """The camera: it wants a digest login."""
    with RtspServer({name: clips[name] for name in ("h264", "h265", "mjpeg")}, USER, PASSWORD) as running:
        yield running


def take(reader: RingReader, count: int, timeout_s: float = 20.0) -> list[Lease]:
    """Receive and release ``count`` frames."""
    leases = []
    for _ in range(count):
        lease = reader.receive(timeout_s)
        assert lease is not None, f"no frame for {timeout_s} s"
        lease.release()
        leases.append(lease)
    return leases


def reconnect(stand: Stand, timeout_s: float = 30.0) -> RingReader:
    """Return a reader of the ring as soon as one can be had."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            return stand.reader()
        except (RingError, RingClosed):
            stand.stop.wait(0.05)
    raise AssertionError("the ring did not come back")
