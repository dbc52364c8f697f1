"""Frames from a camera through a real application to a reader of its output."""

import time

import numpy as np

from vedette.messages import ApplicationState
from vedette.rings import BGR24

from .conftest import Rig


def test_pixels_labels_and_times_come_out(rig: Rig) -> None:
    rig.use("draws.py")
    camera = rig.camera("door")
    rig.output()
    camera.start()
    rig.start()

    looker = rig.look("door")
    lease, pixels = looker.frame()
    looker.close()

    assert (lease.header.width, lease.header.height, lease.header.pixel_format) == (64, 48, BGR24)
    image = pixels.reshape(48, 64, 3)
    assert (image[0:8, 0:8] == (255, 0, 0)).all(), "what was drawn in place is not there"
    grey = image[20:, 20:]
    assert grey.min() == grey.max() < 240, "the picture is not the camera's"
    assert abs(lease.header.capture_wall_ns / 1e9 - time.time()) < 10
    assert lease.meta == b'{"labels":[["frame", 0.25, 0.5]],"rects":[[0.0, 0.0, 1.0, 1.0]]}'
    [stream_id, uri, cached, stamp] = rig.said("first")[0]
    assert (stream_id, uri, cached) == ("door", "rtsp://door.example/stream", False)
    assert abs(stamp[0] + stamp[1] / 1e6 - time.time()) < 20
    status = rig.status(lambda s: s.state == ApplicationState.RUNNING and bool(s.fps))
    assert status.outputs == ["test-app.video_out.door"]
    assert status.pid is not None
    assert np.isclose(status.last_activity_at or 0, time.time(), atol=10)
