"""What a camera costs whose small stream the application gets, against one that it gets the main stream of.

usage: substreams.py [--main 1920x1080] [--sub 640x360] [--fps N] [--seconds S] [--rounds N] [--json]

A server of its own process plays the street scene in both sizes. CameraIngest decodes in software; one reader takes
every frame of what the application gets, and where somebody looks, one more every frame of the main stream. CPU is that
of all of CameraIngest's processes. The baseline is the application on the main stream; a round measures all three.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import processes
from clip import STREET
from figures import paired, table, tell
from ingest_process import serve

from vedette.messages import CameraDemand, CameraSource, CameraStatus
from vedette.rings import RingReader, connect
from vedette.rtsp_server import RtspServer

MAIN_ONLY, SMALL_ONLY, BOTH = "main", "small", "small, and main looked at"
_SETTLE_S = 4.0
_UP_S = 30.0


def make(target: Path, size: tuple[int, int], fps: int, bits: int) -> Path:
    """Write ten seconds of the street scene in a size, unless they are there."""
    if target.exists():
        return target
    unfinished = target.with_suffix(".part.mp4")
    sink: Any
    with av.open(str(STREET)) as source, av.open(str(unfinished), "w") as sink:
        stream = sink.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.bit_rate = bits
        stream.options = {"preset": "veryfast", "profile": "main", "g": str(2 * fps), "bf": "0"}
        for index, frame in enumerate(source.decode(video=0)):
            if index == 10 * fps:
                break
            scaled = frame.reformat(*size, "yuv420p")
            scaled.pts, scaled.time_base = index, Fraction(1, fps)
            sink.mux(stream.encode(scaled))
        sink.mux(stream.encode(None))
    unfinished.rename(target)
    return target


def component_process(kind: str, main: str, sub: str, work: str) -> None:
    """Run the component until standard input ends; prints every status."""
    source = CameraSource(name="camera", url=main, sub=None if kind == MAIN_ONLY else sub)
    demands = [CameraDemand(source=source, instance="benchmark", node="camera")]
    if kind == BOTH:
        demands.append(CameraDemand(source=source, instance="page", node="page", main=True))
    serve(demands, CameraStatus.model_dump_json, work)


class Taker(threading.Thread):
    """Takes every frame of a ring."""

    def __init__(self, socket: str) -> None:
        super().__init__(daemon=True)
        self._reader = RingReader(connect(socket, 5.0))
        self.over = threading.Event()
        self.frames = 0

    def run(self) -> None:
        """Take frames until it is over."""
        while not self.over.is_set():
            lease = self._reader.receive(0.2)
            if lease is not None:
                lease.release()
                self.frames += 1
        self._reader.close()


def measured(kind: str, urls: tuple[str, str], seconds: float) -> dict[str, float]:
    """Return cores, memory and frames a second of CameraIngest."""
    command = [sys.executable, __file__, "--serve", kind, *urls]
    newest: list[CameraStatus] = []
    with (
        tempfile.TemporaryDirectory() as work,
        subprocess.Popen(
            [*command, "--work", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):

        def hear() -> None:
            for line in process.stdout or ():
                if line.startswith("{"):  # the component's own log comes the same way
                    newest[:] = [CameraStatus.model_validate_json(line)]

        threading.Thread(target=hear, daemon=True).start()
        takers = [Taker(socket) for socket in _sockets(newest, kind)]
        for taker in takers:
            taker.start()
        time.sleep(_SETTLE_S)
        members = processes.family(process.pid)
        used, frames = processes.cpu_s(members), [taker.frames for taker in takers]
        time.sleep(seconds)
        used = processes.cpu_s(members) - used
        taken = [taker.frames - before for taker, before in zip(takers, frames, strict=True)]
        memory = processes.memory(members).pss_mb
        for taker in takers:
            taker.over.set()
            taker.join()
        process.communicate()
    return {"cores": used / seconds, "memory_mb": memory, "application_fps": taken[0] / seconds}


def _sockets(newest: list[CameraStatus], kind: str) -> list[str]:
    """Wait for the rings: what the application gets first."""
    deadline = time.monotonic() + _UP_S
    while time.monotonic() < deadline:
        status = newest[0] if newest else None
        if status is not None and status.socket and status.frames:
            if kind != BOTH:
                return [status.socket]
            if status.main is not None and status.main.socket and status.main.frames:
                return [status.socket, status.main.socket]
        time.sleep(0.1)
    raise SystemExit("the camera did not come up")


def main() -> None:
    """Measure and print, or be the component."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--main", default="1920x1080", metavar="WxH")
    parser.add_argument("--sub", default="640x360", metavar="WxH")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vedette-benchmarks")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        kind, main_url, sub_url = given.serve
        component_process(kind, main_url, sub_url, str(given.work))
        return
    given.work.mkdir(parents=True, exist_ok=True)
    streams = {}
    for name, size in (("main", given.main), ("sub", given.sub)):
        width, height = (int(side) for side in size.split("x"))
        target = given.work / f"street-{size}-{given.fps}.mp4"
        streams[name] = make(target, (width, height), given.fps, round(4_000_000 * width * height / (1920 * 1080)))
    kinds = (MAIN_ONLY, SMALL_ONLY, BOTH)
    with RtspServer(streams) as server:
        urls = server.url("main"), server.url("sub")
        rounds = [{kind: measured(kind, urls, given.seconds) for kind in kinds} for _ in range(given.rounds)]
    medians = {kind: {key: median(each[kind][key] for each in rounds) for key in rounds[0][kind]} for kind in kinds}
    ratios = {
        kind: paired(*([each[one]["cores"] for each in rounds] for one in (kind, MAIN_ONLY))) for kind in kinds[1:]
    }
    rows = [
        [
            kind,
            f"{each['application_fps']:.1f}",
            f"{each['cores'] * 100:.1f}",
            f"{each['memory_mb']:.0f}",
            f"{ratios[kind]:.2f}" if kind in ratios else "1",
        ]
        for kind, each in medians.items()
    ]
    head = [f"{given.main} and {given.sub}", "application fps", "% of a core", "MB", "CPU / main"]
    tell({"medians": medians, "ratios": ratios, "rounds": rounds}, table(head, rows), as_json=given.json)


if __name__ == "__main__":
    main()
