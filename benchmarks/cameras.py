"""Several RTSP cameras at once: how old frames are when a model takes them, and CPU against bare PyAV loops.

usage: cameras.py [--cameras N] [--fps N] [--seconds S] [--rounds N] [--no-model] [--hardware] [--max-fps N] ...

A server of its own process plays the 1080p street scene to every camera, key frames 2 s apart. CameraIngest decodes
them; one reader takes each camera's newest frame and runs the example's detector on each, with one thread. The baseline
is a process for each camera that decodes the same stream with PyAV and does nothing else, beside the same runs of the
detector. CPU is that of CameraIngest's processes, and of the baseline's, a decoded frame.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import av
import clip
import cv2
import numpy as np
import processes
from baselines import SIZE, session
from end_to_end import unpack_model
from figures import paired, percentile, table, tell
from ingest_process import serve

from vedette.messages import CameraDemand, CameraSource, CameraStatus
from vedette.rings import Lease, RingReader, connect
from vedette.rtsp_server import RtspServer

_SETTLE_S = 6.0
# How long panoramasdk waits for the frames of the other cameras.
_GRACE_S = 0.002


def component_process(urls: list[str], max_fps: float | None, work: str, *, hardware: bool) -> None:
    """Run the component until standard input ends; prints a status line by camera whenever one changes."""
    sources = [CameraSource(name=f"cam{n}", url=url, max_fps=max_fps) for n, url in enumerate(urls)]
    demands = [CameraDemand(source=source, instance="benchmark", node=source.name) for source in sources]

    def told(status: CameraStatus) -> str:
        return json.dumps({"name": status.name, "socket": status.socket, "frames": status.frames})

    serve(demands, told, work, hardware=hardware)


def bare(url: str, seconds: float) -> None:
    """Decode one camera with PyAV and print frames and CPU seconds after the first two seconds."""
    options = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "300000"}
    with av.open(url, options=options, timeout=10) as container:
        container.streams.video[0].codec_context.thread_count = 1
        began, used, frames = None, 0.0, 0
        opened = time.monotonic()
        for _ in container.decode(video=0):
            now = time.monotonic()
            if began is None and now - opened > 2.0:
                began, used, frames = now, time.process_time(), 0
            frames += 1
            if began is not None and now - began > seconds:
                break
    print(json.dumps({"frames": frames, "cpu_s": time.process_time() - used}))


def shrunk(planes: Any) -> Any:
    """Return what the model takes of an I420 picture."""
    return cv2.resize(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), (SIZE, SIZE))


class Consumer:
    """Takes the newest frame of each camera in turn."""

    def __init__(self, sockets: list[str], infer: Callable[[Any], object] | None) -> None:
        self._readers = [RingReader(connect(socket, 5.0)) for socket in sockets]
        self._infer = infer
        self.ages_ms: list[float] = []

    def run(self, seconds: float) -> None:
        """Take frames; how old each is when it is taken is kept.

        As panoramasdk does: a lease is held from one round to the next, and when it is given back the ring answers with
        its newest frame. Then the model runs on each of them.
        """
        until = time.monotonic() + seconds
        self.ages_ms.clear()
        leases: dict[int, Lease] = {}
        while time.monotonic() < until:
            for lease in leases.values():
                lease.release()
            asked, leases = set(leases), {}
            grace_end = until
            while not leases or (asked - set(leases) and time.monotonic() < grace_end):
                self._take(leases)
                if time.monotonic() > until:
                    break
                grace_end = min(grace_end, time.monotonic() + _GRACE_S) if leases else until
                time.sleep(0.0005)
            for index in leases if self._infer else ():
                self._infer(self._shrunk(leases[index]))  # type: ignore[misc]
        for lease in leases.values():
            lease.release()

    def _take(self, leases: dict[int, Lease]) -> None:
        for index, reader in enumerate(self._readers):
            lease = reader.receive(0.0) if index not in leases else None
            if lease is not None:
                self.ages_ms.append((time.monotonic_ns() - lease.header.capture_mono_ns) / 1e6)
                leases[index] = lease

    @staticmethod
    def _shrunk(lease: Any) -> Any:
        width, height = lease.header.width, lease.header.height
        planes = np.frombuffer(lease.buffer, "uint8").reshape(height * 3 // 2, width)
        small = shrunk(planes)
        del planes
        return small

    def close(self) -> None:
        """Let go of the rings."""
        for reader in self._readers:
            reader.close()


def component(urls: list[str], given: argparse.Namespace, infer: Callable[[Any], object] | None) -> dict[str, float]:
    """Return ages (ms), frames and CPU ms a frame of CameraIngest."""
    command = [sys.executable, __file__, "--serve", *urls, "--max-fps", str(given.max_fps or 0)]
    command += ["--hardware"] * given.hardware
    newest: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory() as work,
        subprocess.Popen(
            [*command, "--work", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):

        def hear() -> None:
            for line in process.stdout or ():
                # The component's own log comes the same way.
                if line.startswith("{"):
                    status = json.loads(line)
                    newest[status["name"]] = status

        threading.Thread(target=hear, daemon=True).start()
        deadline = time.monotonic() + 30
        while sum(bool(status["socket"] and status["frames"]) for status in newest.values()) < len(urls):
            if time.monotonic() > deadline:
                raise SystemExit("the cameras did not come up")
            time.sleep(0.1)
        consumer = Consumer([str(status["socket"]) for _, status in sorted(newest.items())], infer)
        consumer.run(_SETTLE_S)
        members = processes.family(process.pid)
        used, frames = processes.cpu_s(members), _frames(newest)
        consumer.run(given.seconds)
        used, frames = processes.cpu_s(members) - used, _frames(newest) - frames
        ages = list(consumer.ages_ms)
        memory = processes.memory(members).pss_mb
        consumer.close()
        process.communicate()
    return {
        "taken_fps": len(ages) / given.seconds,
        "decoded_fps": frames / given.seconds,
        "age_median_ms": median(ages),
        "age_p99_ms": percentile(ages, 0.99),
        "age_most_ms": max(ages),
        "cpu_ms": used / frames * 1000,
        "cores": used / given.seconds,
        "memory_mb": memory,
    }


def _frames(newest: dict[str, dict[str, Any]]) -> int:
    return sum(int(status["frames"]) for status in newest.values())


def baseline(
    urls: list[str], seconds: float, infer: Callable[[Any], object] | None, runs_a_second: float
) -> dict[str, float]:
    """Return CPU ms a frame of the bare loops, all at once, beside as many runs of the model as CameraIngest had.

    A full core takes cache and clock from its neighbour: 2 % on a Xeon.
    """
    loops = [
        subprocess.Popen(
            [sys.executable, __file__, "--bare", url, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True
        )
        for url in urls
    ]
    # As many different pictures as lie in the rings: one that is always the same would come from the cache.
    pictures = [
        np.random.default_rng(number).integers(16, 235, (1620, 1920), "uint8") for number in range(4 * len(urls))
    ]
    runs = 0
    due = time.monotonic()
    while infer and any(loop.poll() is None for loop in loops):
        infer(shrunk(pictures[runs % len(pictures)]))
        runs += 1
        due = max(due + 1 / runs_a_second, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
    told = [json.loads(loop.communicate(timeout=seconds + 60)[0]) for loop in loops]
    frames = sum(each["frames"] for each in told)
    used = sum(each["cpu_s"] for each in told)
    return {"decoded_fps": frames / seconds, "cpu_ms": used / frames * 1000, "cores": used / seconds}


def main() -> None:
    """Measure and print, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-fps", type=float, help="limit of each camera")
    parser.add_argument("--hardware", action="store_true", help="let CameraIngest decode in hardware")
    parser.add_argument("--no-model", action="store_true", help="take every frame and do nothing with it")
    parser.add_argument("--clip", type=Path, help="another video than the 1080p street scene")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vedette-benchmarks")
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        component_process(given.serve, given.max_fps or None, str(given.work), hardware=given.hardware)
        return
    if given.bare:
        bare(given.bare, given.seconds)
        return
    given.work.mkdir(parents=True, exist_ok=True)
    video = given.clip or clip.make_1080p(
        given.work / f"street-1080p{given.fps}.mp4", frames=given.fps * 20, fps=given.fps
    )
    infer = None if given.no_model else session(str(unpack_model(given.work)))
    with RtspServer({f"cam{number}": video for number in range(given.cameras)}) as server:
        urls = [server.url(f"cam{number}") for number in range(given.cameras)]
        rounds = []
        for _ in range(given.rounds):
            ours = component(urls, given, infer)
            rounds.append({"CameraIngest": ours, "bare": baseline(urls, given.seconds, infer, ours["taken_fps"])})
    medians = {kind: {key: median(each[kind][key] for each in rounds) for key in rounds[0][kind]} for kind in rounds[0]}
    ratio = paired(*([each[kind]["cpu_ms"] for each in rounds] for kind in ("CameraIngest", "bare")))
    worst = max(each["CameraIngest"]["age_most_ms"] for each in rounds)
    ours = medians["CameraIngest"]
    rows = [
        [kind, f"{each['decoded_fps']:.0f}", f"{each['cpu_ms']:.2f}", f"{each['cores']:.2f}"]
        for kind, each in medians.items()
    ]
    rows.append(["CameraIngest / bare", "", f"{ratio:.2f}", ""])
    ages = [f"{ours[key]:.0f}" for key in ("taken_fps", "age_median_ms", "age_p99_ms", "memory_mb")]
    text = table(["", "frames/s", "CPU ms/frame", "cores"], rows)
    text += "\n\n" + table(["taken/s", "age ms, median", "99 %", "MB", "oldest ms"], [[*ages, f"{worst:.0f}"]])
    document = {"medians": medians, "ratio": ratio, "age_most_ms": worst, "rounds": rounds}
    tell(document, text, as_json=given.json)


if __name__ == "__main__":
    main()
