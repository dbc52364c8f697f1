"""CPU that a 1080p frame takes from packet to ring, in software and in each hardware decoder of this device.

usage: decoders.py [--rounds N] [--seconds S] [--clip FILE]... [--json] [--work DIR]

One process for each figure: packets of the clip through CameraIngest's own decoder and frame writer, as fast as they
go. Memory is the process's largest resident size.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import av
from figures import table, tell
from vedette_camera_ingest.decoding import Decoder
from vedette_camera_ingest.events import Received
from vedette_camera_ingest.frames import FrameWriter
from vedette_camera_ingest.timing import CaptureClock

from vedette.hardware_decoding import Hardware, candidates
from vedette.rings import RingWriter, listen

_WARM_UP_FRAMES = 50


def measure(video: str, way: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
    """Decode ``video`` again and again and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        ring = RingWriter(listen(f"{folder}/ring"), name="benchmark")
        writer, frames, began, used = FrameWriter(ring), -_WARM_UP_FRAMES, 0.0, 0.0
        name = ""
        while frames <= 0 or time.monotonic() - began < seconds:
            with av.open(video) as container:
                context = container.streams.video[0].codec_context
                decoder = Decoder(context, CaptureClock(), [Hardware(**way)] if way else [])
                for packet in container.demux(video=0):
                    if not packet.size:
                        continue
                    for captured in decoder.decode(Received(packet, time.monotonic_ns(), time.time_ns())):
                        writer.write(captured.frame, captured.wall_ns, captured.mono_ns)
                        frames += 1
                        if frames == 0:
                            began, used = time.monotonic(), time.process_time()
                name = decoder.name
        elapsed_s, used_s = time.monotonic() - began, time.process_time() - used
        ring.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"by": name, "fps": frames / elapsed_s, "cpu_ms": used_s / frames * 1000, "memory_mib": peak}


def main() -> None:
    """Measure and print, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--clip", type=Path, action="append", help="another video than the 1080p street scene")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vedette-benchmarks")
    parser.add_argument("--one", nargs=2, metavar=("VIDEO", "WAY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], json.loads(given.one[1]), given.seconds)))
        return
    document, rows = {}, []
    for video in given.clip or [_street(given.work)]:
        with av.open(str(video)) as container:
            codec = container.streams.video[0].codec_context.name
        for way in [None, *candidates(codec)]:
            rounds = [_run(video, way, given.seconds) for _ in range(given.rounds)]
            figures = {key: median(each[key] for each in rounds) for key in ("fps", "cpu_ms", "memory_mib")}
            document[f"{video.name} {rounds[0]['by']}"] = figures
            fps, cpu_ms, memory = figures["fps"], figures["cpu_ms"], figures["memory_mib"]
            rows.append([video.name, codec, rounds[0]["by"], f"{fps:.0f}", f"{cpu_ms:.2f}", f"{memory:.0f}"])
    head = ["clip", "codec", "decoder", "frames/s", "CPU ms/frame", "MiB"]
    tell(document, table(head, rows), as_json=given.json)


def _street(work: Path) -> Path:
    import clip

    work.mkdir(parents=True, exist_ok=True)
    return clip.make_1080p(work / "street-1080p.mp4")


def _run(video: Path, way: Hardware | None, seconds: float) -> dict[str, Any]:
    told = json.dumps(asdict(way) if way else None)
    command = [sys.executable, __file__, "--one", str(video), told, "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
