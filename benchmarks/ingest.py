"""CPU that CameraIngest takes for a 1080p frame, against a bare PyAV decode loop on the same file.

usage: ingest.py [--rounds N] [--seconds S] [--clip FILE] [--json] [--work DIR]

Both of its processes count. A reader in this process takes every frame and gives it back at once, so that the file is
read as fast as it can be. ``ingest.py --serve`` is the component, on a bus of its own process. Seven rounds take a
minute and a half, the first time half a minute more for the clip.
"""

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import clip
import processes
from figures import paired, table, tell
from ingest_process import serve

from vedette.messages import CameraDemand, CameraSource, CameraStatus
from vedette.rings import RingReader, connect

_WARM_UP_FRAMES = 50
_START_S = 30.0


def component_process(video: str, work: str) -> None:
    """Run the component until standard input ends; prints the path of the ring once it is known."""
    source = CameraSource(name="benchmark", url=video, pace="fastest")
    told: list[str] = []

    def ring(status: CameraStatus) -> str | None:
        if told or not status.socket:
            return None
        told.append(status.socket)
        return status.socket

    serve([CameraDemand(source=source, instance="benchmark", node="camera")], ring, work)


def component(video: Path, seconds: float) -> dict[str, float]:
    """Return the component's frames per second and CPU ms a frame."""
    with (
        tempfile.TemporaryDirectory() as work,
        subprocess.Popen(
            [sys.executable, __file__, "--serve", str(video), work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        reader = RingReader(connect(ring_of(process), 5.0))
        take(reader, frames=_WARM_UP_FRAMES)
        members = processes.family(process.pid)
        began, before = time.monotonic(), processes.cpu_s(members)
        frames = take(reader, seconds=seconds)
        elapsed_s, used_s = time.monotonic() - began, processes.cpu_s(members) - before
        reader.close()
        process.communicate()
    return {"fps": frames / elapsed_s, "cpu_ms": used_s / frames * 1000}


def ring_of(process: "subprocess.Popen[str]") -> str:
    """Return the path that the component says, within 30 s."""
    assert process.stdout is not None
    if select.select([process.stdout], [], [], _START_S)[0]:
        path = process.stdout.readline().strip()
        if path:
            return path
    process.kill()
    raise SystemExit(f"CameraIngest showed no picture within {_START_S:.0f} s; what it said is above")


def take(reader: RingReader, *, frames: int = 10**9, seconds: float = 60.0) -> int:
    """Take frames until there were ``frames`` or the time is over; return how many."""
    until, taken = time.monotonic() + seconds, 0
    while taken < frames and time.monotonic() < until:
        lease = reader.receive(1.0)
        if lease is not None:
            lease.release()
            taken += 1
    return taken


def decode(video: Path, seconds: float) -> dict[str, float]:
    """Return the same of the bare loop."""
    script = Path(__file__).with_name("baselines.py")
    done = subprocess.run(
        [sys.executable, str(script), "decode", str(video), "-", str(seconds)],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure and print, or be the component."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--clip", type=Path, help="another video than the 1080p street scene")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vedette-benchmarks")
    parser.add_argument("--serve", nargs=2, metavar=("VIDEO", "WORK"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        component_process(*given.serve)
        return
    given.work.mkdir(parents=True, exist_ok=True)
    video = given.clip or clip.make_1080p(given.work / "street-1080p.mp4")
    rounds: list[dict[str, Any]] = []
    for number in range(given.rounds):
        rounds.append({"decode": decode(video, given.seconds), "CameraIngest": component(video, given.seconds)})
        figures = ", ".join(f"{kind} {each['cpu_ms']:.2f} ms CPU a frame" for kind, each in rounds[-1].items())
        sys.stderr.write(f"round {number + 1} of {given.rounds}: {figures}\n")
    medians = {
        kind: {key: median(each[kind][key] for each in rounds) for key in ("fps", "cpu_ms")} for kind in rounds[0]
    }
    ratio = paired(*([each[kind]["cpu_ms"] for each in rounds] for kind in ("CameraIngest", "decode")))
    rows = [[kind, f"{figures['fps']:.0f}", f"{figures['cpu_ms']:.2f}"] for kind, figures in medians.items()]
    rows.append(["CameraIngest / decode", "", f"{ratio:.2f}"])
    document = {"medians": medians, "ratio": ratio, "rounds": rounds}
    tell(document, table(["", "frames/s", "CPU ms/frame"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
