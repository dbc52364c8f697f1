"""An application that gets a camera's small stream asks for a frame of the main one: real camera, ingest and host."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from vedette_camera_ingest.ingest import CameraIngest

from vedette.bus.memory import MemoryBus
from vedette.messages import CameraSource, CameraState, CameraStatus
from vedette.rtsp_server import RtspServer

from .conftest import Rig

APPLICATION = """
import json, sys, time
import panoramasdk

def say(**fields):
    print(json.dumps(fields), flush=True)

class App(panoramasdk.node):
    def run(self):
        [frame] = self.inputs.video_in.get()
        say(small=list(frame.image.shape))
        main = frame.main(timeout=20)
        say(main=None if main is None else list(main.image.shape), later=main.time_stamp >= frame.time_stamp)
        again = frame.main(timeout=5)
        say(again=again.time_stamp > main.time_stamp)
        while True:
            [frame] = self.inputs.video_in.get()
            self.outputs.video_out.put([frame])

App().run()
"""


def write_clip(path: Path, width: int, height: int) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", 12
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for index in range(25):
            image = np.full((height, width, 3), 60 + index * 4, "uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[RtspServer]:
    streams = {"main": write_clip(tmp_path / "m.mp4", 640, 360), "sub": write_clip(tmp_path / "s.mp4", 160, 90)}
    with RtspServer(streams) as running:
        yield running


@pytest.fixture
def ingest(rig: Rig, tmp_path: Path) -> Iterator[None]:
    stop = threading.Event()
    with MemoryBus(rig.broker, "vedette.CameraIngest") as bus:
        thread = threading.Thread(target=CameraIngest(bus, tmp_path / "ingest", stop, linger_s=0.2).run)
        thread.start()
        yield
        stop.set()
        thread.join(5)


@pytest.mark.usefixtures("ingest")
def test_main_frame_does_not_come_or_nobody_says_who_wants_it(rig: Rig, camera: RtspServer) -> None:
    source = CameraSource(name="yard", url=camera.url("main"), sub=camera.url("sub"))
    heard = rig.probe.record(CameraStatus.topic(source.camera_id))
    rig.manifest["inputs"].append({"kind": "media", "port": "video_in", "nodes": ["front"]})
    rig.configuration["cameras"]["front"] = [source.model_dump(mode="json")]
    rig.output()
    rig.source(APPLICATION)
    rig.start()
    assert rig.said("small") == [[90, 160, 3]]
    assert rig.said("main", timeout_s=30) == [[360, 640, 3]]
    assert rig.said("later") == [True]
    assert rig.said("again") == [True]
    seen = [CameraStatus.model_validate_json(heard.get(timeout=20)[1]) for _ in range(heard.qsize())]
    opened = [status.main for status in seen if status.main and status.main.state is CameraState.LIVE]
    assert opened[0].wanted_for == [f"application {rig.configuration['instance']}"]
