"""What it costs to get a 1080p frame into a model: by the application with OpenCV, or handed over by reference.

usage: frame_path.py [--frames N] [--rounds N] [--json]

A camera's ring gives I420 frames of 1920x1080 to an application, which has a model of 416x416 (1, 3, H, W) float32
served. The model only averages its input, so that what is counted is the way: processor time of application and model
server together, a frame.

`opencv, look-up`: media.image, cv2.resize, cv2.LUT a channel, node.call with the array: the people counter of the
examples. `opencv, numpy`: the same with the arithmetic in numpy, as AWS's sample application does it. `by reference`:
node.call with the media, the rest done by the model server as preprocess.json says.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import psutil
from calls import averaging_model
from figures import paired, table, tell
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.frame_path import FramePath
from vedette_model_inference.handler import ModelHandler
from vedette_model_inference.loading import LoadedModel

from vedette.messages import ModelDemand
from vedette.rings import I420, FrameHeader, RingReader, RingWriter, connect, frame_bytes, listen
from vedette.rings.calls import CallServer

WIDTH, HEIGHT, SIZE = 1920, 1080, 416
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
_START_S = 60.0


def serve(model: str, path: str, ready: Connection) -> None:
    """Serve the model as ModelInference does, until killed."""
    session = open_session(Path(model), "onnx", Configuration(threads=1))
    frames = {"preprocess": {"colorOrder": "BGR", "mean": MEAN, "std": STD}}
    demand = ModelDemand(model_id="m", path=model, instance="i", node="n", frames=frames)
    handler = ModelHandler(LoadedModel(session, (), 4096, 0.0, "", 1, FramePath(demand, session)))
    server = CallServer(listen(path), handler)
    ready.send("listening")
    server.serve()


def film(path: str, ready: Connection) -> None:
    """Publish frames whenever the reader can take one, until killed."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (HEIGHT // 40, WIDTH // 40, 3), np.uint8)
    picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
    writer = RingWriter(listen(path))
    ready.send("listening")
    number = 0
    while True:
        if not writer.wait_for_want(1.0):
            continue
        slot = writer.reserve(frame_bytes(I420, WIDTH, HEIGHT))
        if slot is not None:
            if number < 8:
                # Every slot once: copying is the camera's work, not what is measured.
                slot.buffer[:] = pixels
            number += 1
            writer.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420))


class Application:
    """Gets frames and calls the model, one way or the other."""

    def __init__(self, camera: str, model: str) -> None:
        cv2.setNumThreads(1)
        sys.path.insert(0, str(SOURCE))
        from panoramasdk._media import media
        from panoramasdk._models import Model
        from panoramasdk._picture import Picture

        self._media, self._picture = media, Picture
        self._reader = RingReader(connect(camera, 5.0))
        self._model = Model("m", lambda: None)
        self._model.offer(connect(model, 5.0))
        levels = np.arange(256, dtype=np.float32)
        self._tables = [(levels - mean) / std for mean, std in zip(MEAN, STD, strict=True)]

    def frame(self, way: str) -> Any:
        """Take one frame through the model; return its output."""
        lease = self._reader.receive(10.0)
        if lease is None:
            raise SystemExit("the camera gave no frame")
        picture = self._picture(lease.header, lease.buffer, (lease.memory, lease.offset))
        shown = self._media(picture, "camera", "", False)
        if way == "by reference":
            output = self._model.call(shown, 10.0)
        else:
            tensor = self._lookup(shown.image) if way == "opencv, look-up" else self._arithmetic(shown.image)
            output = self._model.call({"data": tensor}, 10.0)
        lease.release()
        return output

    def _lookup(self, image: Any) -> Any:
        small = cv2.resize(image, (SIZE, SIZE))
        tensor = np.empty((1, 3, SIZE, SIZE), np.float32)
        for plane, channel, values in zip(tensor[0], cv2.split(small), self._tables, strict=True):
            cv2.LUT(channel, values, plane)
        return tensor

    @staticmethod
    def _arithmetic(image: Any) -> Any:
        small = cv2.resize(image, (SIZE, SIZE)).astype(np.float32)
        for channel in range(3):
            small[:, :, channel] = (small[:, :, channel] - MEAN[channel]) / STD[channel]
        return np.ascontiguousarray(small.transpose(2, 0, 1))[None]


WAYS = ("opencv, numpy", "opencv, look-up", "by reference")


def measure(frames: int, rounds: int) -> dict[str, Any]:
    """Return processor time a frame of each way, ms."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "mean.onnx"
        model.write_bytes(averaging_model((1, 3, SIZE, SIZE)))
        processes = []
        paths = [str(Path(folder) / name) for name in ("camera.sock", "model.sock")]
        for target, arguments in ((film, (paths[0],)), (serve, (str(model), paths[1]))):
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(*arguments, theirs), daemon=True)
            process.start()
            processes.append(process)
            if not ours.poll(_START_S):
                raise SystemExit("a process did not come up")
        application = Application(*paths)
        server = psutil.Process(processes[1].pid)
        outputs = {way: application.frame(way)[0] for way in WAYS}
        gap = float(np.abs(outputs["by reference"] - outputs["opencv, look-up"]).max())
        if gap > 0.05:
            raise SystemExit(f"the ways give different results: {gap}")
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                for _ in range(10):
                    application.frame(way)
                mine, theirs_s = time.process_time(), sum(server.cpu_times()[:2])
                for _ in range(frames):
                    application.frame(way)
                app_ms = (time.process_time() - mine) * 1000 / frames
                found[way].append((app_ms, (sum(server.cpu_times()[:2]) - theirs_s) * 1000 / frames))
        for process in processes:
            process.terminate()
            process.join(5.0)
    sums = {way: [app + other for app, other in found[way]] for way in WAYS}
    return {
        "rows": [
            {
                "way": way,
                "application_ms": median(app for app, _ in found[way]),
                "server_ms": median(other for _, other in found[way]),
                "together_ms": median(sums[way]),
                "ratio": paired(sums[way], sums["opencv, look-up"]),
            }
            for way in WAYS
        ]
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="of each way in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(given.frames, given.rounds)
    rows = [
        [row["way"], *(f"{row[key]:.2f}" for key in ("application_ms", "server_ms", "together_ms", "ratio"))]
        for row in figures["rows"]
    ]
    head = ["CPU ms a frame", "application", "server", "together", "ratio"]
    tell(figures, table(head, rows), as_json=given.json)


if __name__ == "__main__":
    main()
