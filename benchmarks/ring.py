"""How long a frame takes from one process to another through a ring: from ``publish`` to the return of ``receive``.

usage: ring.py [--seconds S] [--fps N] [--readers N] [--json]

The pixels are written before the clock starts: the hand-over itself copies nothing. Each reader gives its lease back at
once, as an application that keeps up does. Baseline ``socket``: eight bytes through a bare Unix socket between two
processes at the same pace, which is what waking the other process costs on this machine.
"""

import argparse
import multiprocessing
import select
import socket
import struct
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


def read_bare(ours: socket.socket, count: int, results: Connection) -> None:
    """Collect how long ``count`` time stamps took through the socket, ms."""
    poller = select.poll()
    poller.register(ours, select.POLLIN)
    taken = []
    for _ in range(count):
        poller.poll(5000)
        (sent,) = struct.unpack("q", ours.recv(8))
        taken.append((time.monotonic_ns() - sent) / 1e6)
    results.send(taken)


def bare_socket(seconds: float, fps: float) -> list[float]:
    """Return the times, ms, that eight bytes take from one process to another."""
    count = max(2, int(seconds * fps))
    pause = threading.Event()
    writer, reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=read_bare, args=(reader, count, theirs), daemon=True)
    process.start()
    for _ in range(count):
        pause.wait(1 / fps)
        writer.send(struct.pack("q", time.monotonic_ns()))
    taken: list[float] = ours.recv()
    process.join(5.0)
    return taken


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
    bare = bare_socket(given.seconds / 2, given.fps)
    figures = measure(given.seconds, given.fps, given.readers)
    figures["socket"] = {"p50_ms": percentile(bare, 0.5), "p99_ms": percentile(bare, 0.99), "max_ms": max(bare)}
    figures["ring_over_socket"] = figures["p50_ms"] / figures["socket"]["p50_ms"]
    times = ("p50_ms", "p99_ms", "max_ms")
    rows = [
        ["ring", *(str(figures[key]) for key in ("published", "dropped")), *(f"{figures[key]:.3f}" for key in times)],
        ["socket", str(len(bare)), "-", *(f"{figures['socket'][key]:.3f}" for key in times)],
        ["ring / socket", "", "", f"{figures['ring_over_socket']:.1f}", "", ""],
    ]
    tell(figures, table(["", "sent", "dropped", "p50 ms", "p99 ms", "max ms"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
