"""The last frames in a bundle of diagnostics: only where the device allows it, and only if the job asks."""

import json
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.jobs import Job
from vedette_device_monitor.main import Monitor

from vedette.bus.memory import MemoryBus
from vedette.diagnostics import bundle
from vedette.messages import CameraState, CameraStatus
from vedette.rings import I420, FrameHeader, RingWriter, frame_bytes, listen

WIDTH, HEIGHT = 1920, 1080


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Path]:
    """Serve a grey frame again and again, as a camera's worker does."""
    path, stop = tmp_path / "ring", threading.Event()
    ring = RingWriter(listen(str(path)))

    def write() -> None:
        while not stop.wait(0.05):
            slot = ring.reserve(frame_bytes(I420, WIDTH, HEIGHT))
            if slot is not None:
                np.frombuffer(slot.buffer, np.uint8)[:] = 128
                ring.publish(slot, FrameHeader(0, 0, 0, WIDTH, HEIGHT, I420))

    thread = threading.Thread(target=write)
    thread.start()
    yield path
    stop.set()
    thread.join(10)
    ring.close()


def collected(folder: Path, ring: Path, *, allowed: bool, asked: object) -> zipfile.ZipFile:
    work = folder / "root/work/vedette.DeviceMonitor"
    work.mkdir(parents=True, exist_ok=True)
    with MemoryBus() as bus:
        monitor = Monitor(bus, MonitorConfiguration(diagnostics_pictures=allowed), "shop-7", work, environ={})
        for name, socket in (("door", str(ring)), ("hall", str(ring) + ".gone")):
            status = CameraStatus(camera_id=name, name=name, state=CameraState.LIVE, since=0.0, pid=1, socket=socket)
            monitor._hear(CameraStatus.topic(name), status.encode())
        job = Job("job-1", 1, 1, "QUEUED", "DIAGNOSTICS", {"pictures": asked})
        sources = [source for source in monitor._sources(job) if source.name != "doctor.json"]  # takes seconds
        data, _ = bundle(sources)
        monitor.spool.close()
    return zipfile.ZipFile(BytesIO(data))


def test_pictures_are_in_a_bundle_that_may_hold_none(tmp_path: Path, camera: Path) -> None:
    archive = collected(tmp_path, camera, allowed=False, asked=True)
    assert not [name for name in archive.namelist() if name.startswith("pictures")]
    assert "diagnosticsPictures of this device is false" in json.loads(archive.read("contents.json"))["pictures"]
    for asked in (False, "yes", None):
        archive = collected(tmp_path, camera, allowed=True, asked=asked)
        assert not [name for name in archive.namelist() if name.startswith("pictures")]


def test_the_last_frame_is_missing_or_unreadable(tmp_path: Path, camera: Path) -> None:
    archive = collected(tmp_path, camera, allowed=True, asked=True)
    picture = cv2.imdecode(np.frombuffer(archive.read("pictures/door.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (720, 1280, 3)
    assert abs(float(picture.mean()) - 130) < 5
    assert json.loads(archive.read("contents.json"))["pictures/hall.jpg"].startswith("left out: ")
    assert "numpy" in json.loads(archive.read("versions.json"))
