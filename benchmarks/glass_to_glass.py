"""Glass to glass: a 1080p camera over RTSP in, the page in Chromium out, the whole suite between.

    python benchmarks/glass_to_glass.py [--seconds 20] [--fps 25]

The camera is a stream encoded here as it goes, with the time of each frame's making in black and white along its upper
edge; the application is what ``vedette new`` writes; the time is read back from what the browser has drawn. Included:
H.264 encoding of the camera, RTSP, decoding, the application, JPEG, WebSocket, drawing. Labels are off: they would
cover the time.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from display import FLAGS
from numpy.typing import NDArray
from transport import HEIGHT, READ_TIME, WIDTH, scene, write_time
from vedette_display.encoders import CLOCK_HZ, Shot, SoftwareEncoder

from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError
from vedette.nucleus.instances import find_instances
from vedette.rtsp_server import H264, LiveMount, StreamServer, access_unit

START_S = 180.0


def film(mount: LiveMount, frames: list[NDArray[np.uint8]], fps: float, stop: threading.Event) -> None:
    """Be a camera: encode and publish as the frames are due."""
    encoder = SoftwareEncoder(WIDTH, HEIGHT, fps)
    number, due = 0, time.monotonic()
    planes = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    while not stop.wait(max(0.0, due - time.monotonic())):
        due = max(due + 1 / fps, time.monotonic() - 1 / fps)
        planes[:] = frames[number % len(frames)]
        write_time(planes)
        wall_ns, pts = time.time_ns(), round(time.monotonic() * CLOCK_HZ)
        for unit in encoder.encode(planes, Shot(pts, wall_ns), key=number % round(2 * fps) == 0):
            pts_ns = unit.pts * 1_000_000_000 // CLOCK_HZ
            mount.publish(access_unit(H264, unit.data, pts_ns=pts_ns, wall_ns=wall_ns))
        number += 1


def page_of(process: "subprocess.Popen[bytes]") -> str:
    """Wait for the page of a run."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for instance in find_instances():
            if instance.pid == process.pid:
                try:
                    page = request(instance.control_socket, "page")
                except ControlError:
                    continue
                if page:
                    return str(page)
        time.sleep(0.2)
    raise SystemExit("the suite did not start")


def measure(page_address: str, seconds: float) -> tuple[list[float], float]:
    """Return the delays read from the page, sorted, in ms, and how many pictures a second were drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1700, "height": 1000})
        page.goto(page_address)
        page.locator(".chip", has_text="LIVE").first.wait_for(timeout=120_000)
        page.keyboard.press("1")
        page.keyboard.press("o")  # no labels over the time
        page.evaluate(READ_TIME)
        page.wait_for_timeout(5000)
        page.evaluate("() => { window.delays = []; }")
        page.wait_for_timeout(seconds * 1000)
        delays: list[float] = sorted(page.evaluate("() => window.delays"))
        browser.close()
    return delays, len(delays) / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=float, default=25.0)
    options = parser.parse_args()
    stop, mount = threading.Event(), LiveMount(H264, fps=options.fps)
    vedette: list[Any] = [sys.executable, "-m", "vedette.cli.main"]
    with tempfile.TemporaryDirectory() as folder, StreamServer("127.0.0.1", 0) as server:
        server.add("street", mount)
        threading.Thread(target=film, args=(mount, scene(), options.fps, stop), daemon=True).start()
        subprocess.run([*vedette, "new", "glass"], cwd=folder, check=True, capture_output=True, timeout=120)
        camera = f"camera_node={server.url('street')}"
        command = [*vedette, "run", str(Path(folder) / "glass"), "--camera", camera, "--no-browser", "--port", "0"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            delays, drawn = measure(page_of(process), options.seconds)
            load = psutil.cpu_percent(1.0, percpu=False)
        finally:
            process.terminate()
            process.wait(20)
            stop.set()
    if not delays:
        raise SystemExit("the browser showed nothing")
    print(f"{WIDTH}x{HEIGHT} at {options.fps:.0f} fps over RTSP, one viewer, 1280 wide, {drawn:.1f} pictures a second")
    at = [delays[min(len(delays) - 1, int(len(delays) * part))] for part in (0.5, 0.95)]
    print(
        f"glass to glass: {at[0]:.0f} ms p50, {at[1]:.0f} ms p95, least {delays[0]:.0f} ms (machine {load:.0f} % busy)"
    )


if __name__ == "__main__":
    main()
