"""CPU that panoramasdk takes for a 1080p frame: get, image, put with a reader; and the host's memory.

``python benchmarks/sdk_frame_cost.py`` runs a writer and a reader in processes of their own, and an application loop
in this one, then prints medians in ms of this process's CPU time. Baselines, not gates.
"""

import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from vedette_app_runtime import protocol
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_app_runtime.sessions import Session

from vedette.rings import I420, FrameHeader, RingReader, RingWriter, connect, frame_bytes, listen

sys.path.insert(0, str(SOURCE))

import panoramasdk
from panoramasdk import _conversion, _runtime
from panoramasdk._connection import Connection

WIDTH, HEIGHT = 1920, 1080
FRAMES = 120


def camera(path: str) -> None:
    """Publish noise as fast as the reader takes it."""
    writer = RingWriter(listen(path))
    size = frame_bytes(I420, WIDTH, HEIGHT)
    noise = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    while True:
        if writer.wait_for_want(1.0) and (slot := writer.reserve(size)) is not None:
            np.frombuffer(slot.buffer, np.uint8)[:] = noise
            writer.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420))


def viewer(path: str) -> None:
    """Take every frame of an output."""
    with RingReaderAt(path) as reader:
        while True:
            lease = reader.receive(1.0)
            if lease is not None:
                lease.release()


class RingReaderAt:
    """A reader of the ring at a path."""

    def __init__(self, path: str) -> None:
        self._reader = RingReader(connect(path, 5.0))

    def __enter__(self) -> RingReader:
        return self._reader

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def median_ms(step: Callable[[], Any]) -> float:
    """Return the median CPU time of a step in this process, ms."""
    taken = []
    for _ in range(FRAMES):
        start = time.process_time()
        step()
        taken.append(time.process_time() - start)
    return round(sorted(taken)[FRAMES // 2] * 1000, 2)


def rss_mb() -> float:
    """Return this process's resident memory, MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def main() -> None:
    """Measure and print."""
    folder = tempfile.mkdtemp()
    camera_path, output_path = f"{folder}/camera", f"{folder}/output"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=camera, args=(camera_path,), daemon=True)]
    processes[0].start()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host = Session(ours, 0)
    cameras = [["video_in", "door", ""]]
    host.send(protocol.Hello(protocol.VERSION, "b", ["video_in"], cameras, {}, {"video_out": True}, [], False))
    _runtime._Process.runtime = _runtime.Runtime(lambda: Connection(theirs))  # noqa: SLF001
    while not Path(camera_path).exists():
        threading.Event().wait(0.05)
    connected = connect(camera_path, 5.0)
    host.send(protocol.CameraSocket(0, ahead=False), connected.fileno())
    connected.close()
    node = panoramasdk.node()
    listener = listen(output_path)
    node.outputs.video_out.put(node.inputs.video_in.get())
    host.send(protocol.OutputSocket("video_out", "door"), listener.fileno())
    listener.close()

    def touch() -> None:
        for media in node.inputs.video_in.get():
            _ = media.image

    def draw_and_put() -> None:
        streams = node.inputs.video_in.get()
        for media in streams:
            media.image[:8] = 255
            media.add_label("label", 0.5, 0.5)
        node.outputs.video_out.put(streams)

    results = {"get": median_ms(node.inputs.video_in.get), "get + image": median_ms(touch)}
    results["get + image + put, nobody looks"] = median_ms(draw_and_put)
    processes.append(context.Process(target=viewer, args=(output_path,), daemon=True))
    processes[1].start()
    while not node.outputs.video_out._sink("video_out", "door")._writer.readers:  # noqa: SLF001
        threading.Event().wait(0.05)
    results["get + image + put, with a reader"] = median_ms(draw_and_put)
    results["get + put untouched, with a reader"] = median_ms(
        lambda: node.outputs.video_out.put(node.inputs.video_in.get())
    )
    _conversion._fastest.cache_clear()  # noqa: SLF001
    _conversion._with_opencv = lambda: None  # noqa: SLF001
    results["get + image without OpenCV"] = median_ms(touch)
    for name, value in results.items():
        print(f"{name:40} {value:6.2f} ms")
    print(f"{'memory of this process':40} {rss_mb():6.1f} MB")
    for process in processes:
        process.terminate()


if __name__ == "__main__":
    main()
