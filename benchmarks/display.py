"""Delay, CPU and memory of vedette.Display for outputs of 1920x1080 at 15 frames a second.

    python benchmarks/display.py [--outputs 1] [--viewers 1] [--open] [--seconds 20] [--chromium]

The display runs in a process of its own, on a bus in memory; frames come from this process through real rings. The
viewer is a WebSocket client that confirms at once, or with --chromium a browser that draws.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.sync.client import connect
from websockets.typing import Origin

from vedette.rings import I420, FrameHeader, RingWriter, frame_bytes, listen

WIDTH, HEIGHT, FPS = 1920, 1080, 15.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def display_process(sockets: list[str], pages: Any, stop: Event) -> None:
    """Run the display as its component does, the AWS SDK loaded, with statuses of outputs that are all well."""
    from vedette_display.main import main

    import vedette.bus.greengrass  # noqa: F401 -- its memory belongs to the component's
    from vedette.bus.memory import MemoryBus
    from vedette.messages import DisplayStatus, OutputStatus

    # Its work folder: the access key is kept there.
    os.chdir(Path(sockets[0]).parent)
    bus = MemoryBus(component="vedette.Display", configuration={"port": 0, "rtspPort": 0})
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(1.0):
            for index, path in enumerate(sockets):
                status = OutputStatus(
                    output_id=f"app.out.cam{index}", instance="app", application="a", node="n", port="out",
                    stream=f"cam{index}", socket=path, since=time.time(), fps=FPS, last_frame_at=time.time(),
                )  # fmt: skip
                bus.publish(OutputStatus.topic(status.output_id), status.encode())

    bus.subscribe(DisplayStatus.topic(), lambda _, payload: pages.put(payload))
    threading.Thread(target=tell, daemon=True).start()
    component_stop = threading.Event()

    def forward() -> None:
        stop.wait()
        component_stop.set()

    threading.Thread(target=forward, daemon=True).start()
    main(bus, component_stop)
    ended.set()
    bus.close()


def put_frames(ring: RingWriter, stop: threading.Event) -> None:
    """Put noise over a gradient, with overlays, at the output's frame rate."""
    nbytes = frame_bytes(I420, WIDTH, HEIGHT)
    rng = np.random.default_rng(1)
    base = np.full(nbytes, 128, np.uint8)
    luma = base[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    luma[:] = np.linspace(40, 200, WIDTH, dtype=np.uint8) + rng.integers(0, 24, (HEIGHT, WIDTH), dtype=np.uint8)
    labels = [[f"Person {i}", 0.1 * i, 0.3] for i in range(8)]
    rects = [[0.1 * i, 0.3, 0.1 * i + 0.08, 0.8] for i in range(8)]
    meta = json.dumps({"labels": labels, "rects": rects}).encode()
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        due += 1 / FPS
        slot = ring.reserve(nbytes)
        if slot is not None:
            np.frombuffer(slot.buffer, np.uint8)[:] = base
            ring.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420), meta)


def view(address: str, outputs: int, width: int, stop: threading.Event) -> None:
    """Look at every output and confirm each picture at once."""
    plain = address.partition("?")[0]
    url = f"{plain.replace('http', 'ws')}live"
    with connect(url, origin=Origin(plain.rstrip("/")), compression=None, max_size=None) as socket:
        looked = False
        while not stop.is_set():
            message = socket.recv(timeout=10)
            if isinstance(message, str):
                tiles = json.loads(message)["tiles"]
                if not looked and len(tiles) >= outputs:
                    looked = True
                    look = [{"tile": tile["number"], "width": width} for tile in tiles]
                    socket.send(json.dumps({"type": "look", "tiles": look}))
            else:
                _, _, tile, number = struct.unpack_from("<BBHI", message)
                socket.send(struct.pack("<BxHI", 2, tile, number))


@contextlib.contextmanager
def viewers(options: argparse.Namespace, address: str) -> Iterator[None]:
    """Have the outputs looked at."""
    if options.chromium:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            for _ in range(options.viewers):
                page = browser.new_page(viewport={"width": 1600, "height": 1000})
                page.goto(address)
                page.locator(".chip", has_text="LIVE").first.wait_for()
                if options.open:
                    page.keyboard.press("1")
            yield
            browser.close()
        return
    stop = threading.Event()
    width = 1280 if options.open else 640
    arguments = (address, options.outputs, width, stop)
    threads = [threading.Thread(target=view, args=arguments, daemon=True) for _ in range(options.viewers)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join(5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=1)
    parser.add_argument("--viewers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--open", action="store_true", help="the opened tile (1280x720) in place of the small one")
    parser.add_argument("--chromium", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    stop, feeding, pages = context.Event(), threading.Event(), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        sockets = [str(Path(folder) / f"{index}.sock") for index in range(options.outputs)]
        rings = [RingWriter(listen(path)) for path in sockets]
        feeders = [threading.Thread(target=put_frames, args=(ring, feeding), daemon=True) for ring in rings]
        for feeder in feeders:
            feeder.start()
        process = context.Process(target=display_process, args=(sockets, pages, stop))
        process.start()
        address = json.loads(pages.get(timeout=30))["page"]
        watched = psutil.Process(process.pid)
        idle = watched.memory_full_info()
        with viewers(options, address):
            time.sleep(5)
            while not pages.empty():
                pages.get()
            before, began = watched.cpu_times(), time.monotonic()
            time.sleep(options.seconds)
            after, elapsed = watched.cpu_times(), time.monotonic() - began
            memory = watched.memory_full_info()
        statuses = []
        while not pages.empty():
            statuses.append(json.loads(pages.get()))
        stop.set()
        process.join(10)
        feeding.set()
        for ring in rings:
            ring.close()
    shown = [output for status in statuses for output in status["outputs"]]
    delays = sorted(output["latency_ms"] for output in shown if "latency_ms" in output)
    rates = sorted(output["fps"] for output in shown if "fps" in output)
    cpu = (after.user + after.system - before.user - before.system) / elapsed
    print(f"{options.outputs} x {WIDTH}x{HEIGHT} at {FPS:.0f} fps, {options.viewers} viewer(s)")
    if delays:
        print(f"delay, p95 of 10 s: median {delays[len(delays) // 2]:.1f} ms, most {delays[-1]:.1f} ms")
        print(f"pictures on screen: {rates[len(rates) // 2]:.1f} a second")
    print(f"CPU of the display: {100 * cpu:.1f} % of one core")
    megabytes = [value / 1e6 for value in (idle.rss, memory.rss, memory.pss, memory.uss)]
    print("memory: {:.0f} MB at rest; watched: RSS {:.0f}, PSS {:.0f}, USS {:.0f} MB".format(*megabytes))


if __name__ == "__main__":
    main()
