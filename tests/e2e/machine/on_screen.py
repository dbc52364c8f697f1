"""Inside the virtual machine: the display's screen process with three pictures, which are shown as standard input says.

Lines: ``nothing``, ``pictures N``, ``wrong TITLE``; the end of the input stops it. Reports go to standard output.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from vedette_display.screen.process import ScreenProcess
from vedette_display.screen.scene import Scene, SceneTile

from vedette.rings import I420, FrameHeader, RingWriter, frame_bytes, listen

WIDTH, HEIGHT = 640, 360
COLORS = ((60, 180, 90), (110, 90, 110), (80, 110, 200))
META = json.dumps({"labels": [["person 0.93", 0.2, 0.3]], "rects": [[0.2, 0.3, 0.5, 0.8]]}).encode()


def feed(path: str, color: tuple[int, int, int], stop: threading.Event) -> None:
    """Put two pictures a second of one colour (Y, U, V)."""
    writer = RingWriter(listen(path))
    luma = WIDTH * HEIGHT
    while not stop.wait(0.5):
        slot = writer.reserve(frame_bytes(I420, WIDTH, HEIGHT))
        if slot is None:
            continue
        dots = np.frombuffer(slot.buffer, np.uint8)
        dots[:luma], dots[luma : luma * 5 // 4], dots[luma * 5 // 4 :] = color
        del dots
        writer.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420), META)
    writer.close()


def report(process: ScreenProcess, stop: threading.Event) -> None:
    """Print what the screen's process tells, when it is something else."""
    last = None
    while not stop.wait(0.5):
        told = process.report()
        now = None if told is None else (told.state, told.detail, told.driver, told.width, told.height)
        if now is not None and now != last:
            last = now
            sys.stdout.write("\t".join(map(str, now)) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Run until the input ends."""
    stop = threading.Event()
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    paths = [str(folder / f"ring{index}") for index in range(len(COLORS))]
    for path, color in zip(paths, COLORS, strict=True):
        threading.Thread(target=feed, args=(path, color, stop), daemon=True).start()
    process = ScreenProcess()
    threading.Thread(target=report, args=(process, stop), daemon=True).start()
    process.start()
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        tiles = {
            "nothing": [],
            "pictures": [SceneTile(name=f"camera {i}", socket=paths[i]) for i in range(int(rest or 0))]
            if word == "pictures"
            else [],
            "wrong": [SceneTile(name="lobby", severity="error", title=rest)],
        }[word]
        title = "" if tiles else "No application runs here"
        process.show(Scene(device="machine", owner="app" if tiles else "", title=title, tiles=tiles))
    process.stop()
    stop.set()


if __name__ == "__main__":
    main()
