"""Ten applications with eight cameras each on one device: do all run, what does each cost, does one's end hurt others?

``python benchmarks/many_applications.py [--applications 10] [--cameras 8] [--size 160x120] [--rate 2] [--seconds 20]``
plays clips on a local nucleus to applications that get every stream, look at a picture and put it. Then one is killed,
one stopped (SIGSTOP), one fills its storage, and the frame rates of the others before and during are compared (with
four or more). Memory is PSS; the baseline is the same device with one application. Figures, not gates.

Eight streams of 1080p to one application: ``--applications 1 --size 1920x1080 --rate 10``.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from vedette.cli.session import Session
from vedette.compiler import compile_application, write_store
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.nucleus.deployment import ComponentDeployment

FIXTURE = Path(__file__).parents[1] / "tests/fixtures/applications/recorder"
APPLICATION = """
import os, panoramasdk, time
node = panoramasdk.node()
filling = os.path.exists("/opt/aws/panorama/storage/fill")
while True:
    streams = node.inputs.video_in.get()
    streams[0].image.mean()
    node.outputs.video_out.put(streams)
    if os.path.exists("/opt/aws/panorama/storage/fill"):
        try:
            with open("/opt/aws/panorama/storage/great", "ab", 0) as file:
                file.write(b"x" * (1 << 20))
        except OSError:
            pass
"""
_ENOUGH = 4
"""Three are harmed; the fourth tells whether the others notice."""
_stop = threading.Event()


def clip(path: Path, size: tuple[int, int], rate: int, seconds: int, seed: int) -> None:
    """Write a clip of moving noise in blocks: noise of single pixels would be no camera's picture."""
    width, height = size
    blocks = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    picture = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(rate * seconds):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, number, 1), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def pss_mb(processes: list[psutil.Process]) -> float:
    """Return what the processes have in memory, shared pages in parts, MB."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def everything() -> list[psutil.Process]:
    """Return every process of the device that runs here."""
    return psutil.Process().children(recursive=True)


def rates(session: Session) -> dict[str, float]:
    """Return frames put a second by instance."""
    return {each.instance: each.fps or 0.0 for each in session.health().applications}


def wait_for(session: Session, count: int, timeout_s: float) -> float:
    """Wait until ``count`` applications run and put; return how long that took, s."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        health = session.health()
        running = [a for a in health.applications if a.state == "running" and (a.fps or 0) > 0]
        if len(running) >= count:
            return time.monotonic() - began
        _stop.wait(0.5)
    states = {a.instance: (a.state, a.detail) for a in session.health().applications}
    raise SystemExit(f"only {states}")


def measure(
    root: Path, deployments: dict[str, ComponentDeployment], suite: dict[str, dict[str, Any]], given: argparse.Namespace
) -> None:
    """Deploy one application, then all, then do harm to three; print what is seen."""
    say = sys.stdout.write
    with Session(root, secrets={}, listener=lambda _: None) as session:
        first = dict(list(deployments.items())[:1])
        session.deploy(first, suite)
        say(f"1 application, {given.cameras} cameras: up after {wait_for(session, 1, 180):.1f} s\n")
        _stop.wait(given.seconds / 2)
        one = pss_mb(everything())
        session.deploy(deployments, suite)
        took = wait_for(session, given.applications, 300)
        _stop.wait(given.seconds)
        all_of_them = pss_mb(everything())
        before = rates(session)
        each = (all_of_them - one) / max(1, given.applications - 1)
        say(f"{given.applications} applications: up after {took:.1f} s, {sum(before.values()):.1f} rounds/s in all\n")
        say(f"memory: {one:.0f} MB with one, {all_of_them:.0f} MB with all: {each:.1f} MB each further one\n")
        parts: dict[str, list[psutil.Process]] = {}
        for process in everything():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            for part in ("camera_ingest.worker", "app_runtime run", "/panorama/application.py", "bwrap"):
                if part in line and not (part == "/panorama/application.py" and "bwrap" in line):
                    parts.setdefault(part, []).append(process)
        for part, processes in sorted(parts.items()):
            say(f"  {part}: {len(processes)} processes, {pss_mb(processes) / len(processes):.1f} MB each\n")
        for camera in sorted(session.health().cameras, key=lambda camera: camera.name):
            say(f"  {camera.name}: {camera.fps or 0:.1f} of {given.rate} pictures/s, {camera.dropped} dropped\n")
        if given.applications < _ENOUGH:
            return
        apps = sorted(parts["/panorama/application.py"], key=lambda p: p.pid)
        os.kill(apps[0].pid, signal.SIGKILL)
        os.kill(apps[1].pid, signal.SIGSTOP)
        third = next(iter(list(deployments)[2:3]))
        (root / "work" / third / "storage" / "fill").touch()
        _stop.wait(given.seconds)
        after = rates(session)
        health = {a.instance: a for a in session.health().applications}
        for instance in sorted(before):
            application = health[instance]
            say(
                f"  {instance}: {before[instance]:.2f} -> {after[instance]:.2f} rounds/s, {application.state}, "
                f"{application.errors} errors {application.detail[:90]}\n"
            )


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=10)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=2, help="pictures a second of each camera")
    parser.add_argument("--size", default="160x120", metavar="WIDTHxHEIGHT", help="of each camera's pictures")
    given = parser.parse_args()
    width, _, height = given.size.partition("x")
    with tempfile.TemporaryDirectory(prefix="vedette-many-") as name:
        folder = Path(name)
        project = folder / "project"
        shutil.copytree(FIXTURE, project, ignore=shutil.ignore_patterns(".vedette"))
        next(project.glob("packages/*/src/application.py")).write_text(APPLICATION)
        sources = []
        for number in range(given.cameras):
            clip(folder / f"{number}.mp4", (int(width), int(height)), given.rate, 10, number)
            sources.append(CameraSource(name=f"camera-{number}", url=str(folder / f"{number}.mp4")))
        root = folder / "root"
        deployments: dict[str, ComponentDeployment] = {}
        for number in range(given.applications):
            resolution = resolve(load_project(project), cameras={"camera_node": sources}, instance=f"app-{number}")
            if resolution.application is None:
                raise SystemExit(str(resolution.findings))
            compiled = compile_application(resolution.application)
            write_store(compiled, root)
            for component, said in compiled.deployment().items():
                limits = {"limits": {"storageMB": 50, "hungAfterS": 10, "restartHungAfterS": 15}}
                deployments[component] = ComponentDeployment(**{**said, "merge": {**said["merge"], **limits}})
        suite: dict[str, dict[str, Any]] = {"vedette.CameraIngest": {}, "vedette.Display": {"port": 0}}
        suite |= {"vedette.ModelInference": {}, "vedette.AppRuntime": {}}
        measure(root, deployments, suite, given)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
