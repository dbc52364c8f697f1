"""How long a frame takes from one process to another through a ring: from ``publish`` to the return of ``receive``.

usage: ring.py [--seconds S] [--fps N] [--readers N] [--json]

The pixels are written before the clock starts: the hand-over itself copies nothing. Each reader gives its lease back at
once, as an application that keeps up does.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from figures import percentile, table, tell

from vedette.rings import I420, FrameHeader, RingReader, RingWriter, connect, frame_bytes, listen

WIDTH, HEIGHT = 1920, 1080


def read(path: str, results: Connection) -> None:
    """Collect the hand-over times, ms, of every frame until the ring's end."""
    reader = RingReader(connect(path, 5.0))
    taken: list[float] = []
    results.send("connected")
    while not results.poll(0):
        lease = reader.receive(0.2)
        if lease is not None:
            taken.append((time.monotonic_ns() - lease.header.capture_mono_ns) / 1e6)
            lease.release()
    reader.close()
    results.send(taken)


def measure(seconds: float, fps: float, readers: int) -> dict[str, Any]:
    """Return p50, p99 and the longest, ms, over all readers."""
    size = frame_bytes(I420, WIDTH, HEIGHT)
    pause = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "ring.sock")
        ring = RingWriter(listen(path))
        context = multiprocessing.get_context("spawn")
        ends = [context.Pipe() for _ in range(readers)]
        processes = [context.Process(target=read, args=(path, theirs), daemon=True) for _, theirs in ends]
        for process in processes:
            process.start()
        for ours, _ in ends:
            ours.recv()
        until, dropped = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            pause.wait(1 / fps)
            slot = ring.reserve(size)
            if slot is None:
                dropped += 1
                continue
            slot.buffer[:64] = bytes(64)
            ring.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420))
        taken: list[float] = []
        for ours, _ in ends:
            ours.send("end")
            taken += ours.recv()
        for process in processes:
            process.join(5.0)
        published = ring.stats.published
        ring.close()
    # The first frames find cold caches and a memory that the reader has to map.
    steady = taken[10 * readers :] or taken
    return {
        "published": published,
        "received": len(taken),
        "dropped": dropped,
        "p50_ms": percentile(steady, 0.5),
        "p99_ms": percentile(steady, 0.99),
        "max_ms": max(steady),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(given.seconds, given.fps, given.readers)
    row = [str(figures[key]) for key in ("published", "received", "dropped")]
    row += [f"{figures[key]:.3f}" for key in ("p50_ms", "p99_ms", "max_ms")]
    tell(figures, table(["published", "received", "dropped", "p50 ms", "p99 ms", "max ms"], [row]), as_json=given.json)


if __name__ == "__main__":
    main()
