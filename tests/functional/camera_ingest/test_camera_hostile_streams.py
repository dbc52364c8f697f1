"""Broken and hostile streams: the worker lives, stays within its memory, and shows a good stream soon after.

``VEDETTE_HOSTILE_STREAMS=5000`` plays so many of them (and prints what they took); a few dozen are usual.
``VEDETTE_HOSTILE_FROM=1250`` begins with the 1250th of each camera: 5,000 in several runs are the same 5,000.
"""

import os
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from vedette.messages import CameraSource, CameraState
from vedette.rings import RingClosed, RingError, RingReader, connect
from vedette.rtsp_server import StreamServer

from .conftest import Stand
from .hostile import FAULTS, GOOD_GREYS, EndlessPicture, HostileMount, pause, resident_mib

STREAMS = int(os.environ.get("VEDETTE_HOSTILE_STREAMS", "26"))
FIRST = int(os.environ.get("VEDETTE_HOSTILE_FROM", "0"))
CAMERAS = 4 if STREAMS >= 1000 else 2
# Five seconds are asked for, and what they really take is printed; a machine that is busy shall not fail the suite.
PATIENCE_S = 5.0 if STREAMS >= 1000 else 30.0


class Watcher:
    """Reads one camera's ring, also after its worker was started again, and knows the worker."""

    def __init__(self, stand: Stand, name: str) -> None:
        self._stand = stand
        self._name = name
        self._reader: RingReader | None = None
        self.pids: list[int] = []

    def sees(self, level: int, timeout_s: float) -> bool:
        """Tell whether a picture of this grey, and nothing but it, comes in time."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                if self._reader is None:
                    self._reader = self._open()
                lease = self._reader.receive(min(0.05, left_s))
            except (RingError, RingClosed):
                if self._reader is not None:
                    self._reader.close()
                self._reader = None
                pause(0.02)
                continue
            if lease is None:
                return False
            with lease:
                luma = bytes(lease.buffer[: lease.header.width * lease.header.height : 97])
            if lease.header.width == 320 and abs(luma[0] - level) <= 3 and max(luma) - min(luma) <= 6:
                return True
        return False

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> RingReader:
        status = next(
            status for status in reversed([*self._stand.heard]) if status.name == self._name and status.socket
        )
        assert status.socket
        assert status.pid
        if status.pid not in self.pids:
            self.pids.append(status.pid)
        return RingReader(connect(status.socket, 2.0), 4)


class Told(NamedTuple):
    """What came of one stream: its fault, how long the next good picture took, the worker's memory then."""

    fault: str
    recovery_s: float
    memory_mib: float


def play(stand: Stand, server: StreamServer, number: int, transport: str, streams: int) -> list[Told]:
    """Play ``streams`` faults to one camera."""
    mount = HostileMount()
    name = f"cam{number}"
    server.add(name, mount)
    stand.want(CameraSource.model_validate({"name": name, "url": server.url(name), "transport": transport}))
    stand.wait_for(lambda status: status.name == name and status.socket, 30.0)
    watcher = Watcher(stand, name)
    told: list[Told] = []
    deadline = time.monotonic() + 30
    while not watcher.sees(GOOD_GREYS[0], 0.1):
        mount.behave(GOOD_GREYS[0])
        assert time.monotonic() < deadline, "no picture at all"
    for index in range(FIRST, FIRST + streams):
        kind = FAULTS[index % len(FAULTS)]
        level = GOOD_GREYS[1 + index % (len(GOOD_GREYS) - 1)]
        mount.misbehave(kind(random.Random(f"{number}/{index}")), pause)
        began = time.monotonic()
        mount.behave(level)
        while not watcher.sees(level, 0.1):
            took_s = time.monotonic() - began
            assert took_s < PATIENCE_S, f"{name}: no good picture for {took_s:.1f} s after {kind.__name__} ({index})"
            mount.behave(level)
        told.append(Told(kind.__name__, time.monotonic() - began, resident_mib(watcher.pids[-1])))
        if index % 50 == 0:
            stand.forget_old()
    watcher.close()
    assert len(watcher.pids) == 1, f"the worker was started again {len(watcher.pids) - 1} times"
    return told


@pytest.mark.timeout(60 if STREAMS < 1000 else 3600)
def test_hostile_stream_ends_the_worker_or_is_never_over(stand: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    share = STREAMS // CAMERAS
    with StreamServer(port=0) as server, ThreadPoolExecutor(CAMERAS) as pool:
        jobs = [
            pool.submit(play, stand, server, number, "udp" if number == 0 else "tcp", share)
            for number in range(CAMERAS)
        ]
        played = [job.result() for job in jobs]
    for told in played:
        memory = [each.memory_mib for each in told]
        # Grows to its working size within the first streams, and no further.
        assert memory[-1] < max(memory[: len(memory) // 4 + 1]) + 40
    if STREAMS >= 1000:
        with capsys.disabled():
            sys.stdout.write(_figures([each for told in played for each in told], played))


def _figures(everything: list[Told], played: list[list[Told]]) -> str:
    times = sorted(told.recovery_s for told in everything)
    longest: dict[str, float] = {}
    for told in everything:
        longest[told.fault] = max(longest.get(told.fault, 0.0), told.recovery_s)
    lines = [
        f"\n{len(times)} streams: recovery median {statistics.median(times) * 1000:.0f} ms,"
        f" 99 % {times[int(len(times) * 0.99)] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms",
        "longest of each, ms: " + ", ".join(f"{kind} {took_s * 1000:.0f}" for kind, took_s in longest.items()),
    ]
    for each in played:
        memory = [told.memory_mib for told in each]
        lines.append(f"memory MiB: first {memory[0]:.0f}, most {max(memory):.0f}, last {memory[-1]:.0f}")
    return "\n".join(lines) + "\n"


def test_picture_without_an_end_is_called_silence(stand: Stand) -> None:
    mount = HostileMount()
    with StreamServer(port=0) as server:
        server.add("cam", mount)
        stand.want(CameraSource(name="cam", url=server.url("cam")))
        reader = stand.reader_of("cam")
        deadline = time.monotonic() + 30
        while reader.receive(0.1) is None and time.monotonic() < deadline:
            mount.behave(GOOD_GREYS[0])
        while not any("none of them has ended a picture" in status.detail for status in stand.heard):
            assert time.monotonic() < deadline
            mount.misbehave(EndlessPicture(random.Random(1)), pause)
        reader.close()
    told = stand.wait_for(lambda status: "none of them has ended a picture" in status.detail)
    assert told.state is CameraState.NO_KEY_FRAME


def test_server_that_answers_a_byte_at_a_time_holds_the_worker(stand: Stand) -> None:
    """Bounded by the camera's own time limits: the cause is told, the next try comes."""
    from .fake_rtsp import dripping_server

    with dripping_server() as url:
        stand.want(CameraSource(name="slow", url=url))
        status = stand.wait_for(lambda status: status.next_try_s is not None, 45.0)
        assert status.state in (CameraState.UNREACHABLE, CameraState.NOT_RTSP, CameraState.LOST)
