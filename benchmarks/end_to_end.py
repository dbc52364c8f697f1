"""Frames per second, CPU per frame and memory of ``vedette run`` against plain loops that do the same work.

usage: end_to_end.py [--rounds N] [--seconds S] [--viewer] [--quiet CORES] [--json] [--work DIR]

Each round runs the suite, then the loops of ``baselines.py``, one after the other; ratios are the medians of the
rounds' own. Frames are 1080p, read as fast as the application takes them; one thread for the model. On a machine that
others use too, ``--quiet 0.2`` waits for calm before each measurement, and makes up for rounds in which others used
more than 0.2 cores.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import clip
import processes
from figures import paired, table, tell
from suite import EXAMPLE, Suite

BASELINES: Final = ("opencv", "bare")
_WARM_UP_S: Final = 3.0
_CLIP_REPEATS: Final = 12
_PATIENCE_S: Final = 60.0
_MOST_TRIES: Final = 5
"""Rounds tried for each one that counts."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--viewer", action="store_true", help="somebody looks at the output meanwhile")
    parser.add_argument("--quiet", type=float, metavar="CORES", help="most that other processes may use meanwhile")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vedette-benchmarks")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    short = clip.make_1080p(given.work / "street-1080p.mp4")
    long = clip.repeat(short, given.work / f"street-1080p-{_CLIP_REPEATS}.mp4", _CLIP_REPEATS)
    model = unpack_model(given.work)
    rounds: list[dict[str, Any]] = []
    for _ in range(given.rounds * (1 if given.quiet is None else _MOST_TRIES)):
        figures = measure(given, short, long, model)
        quiet = given.quiet is None or max(each["other_load"] for each in figures.values()) <= given.quiet
        rounds += [figures] if quiet else []
        said = ", ".join(
            f"{kind} {each['fps']:.1f} (others {each['other_load']:.2f})" for kind, each in figures.items()
        )
        sys.stderr.write(f"{'round' if quiet else 'disturbed'}: {said}\n")
        if len(rounds) == given.rounds:
            break
    if not rounds:
        raise SystemExit("the machine was never quiet enough")
    document = summary(rounds)
    tell(document, text(document), as_json=given.json)


def measure(given: argparse.Namespace, short: Path, long: Path, model: Path) -> dict[str, Any]:
    """Return the figures of one round."""

    def calm() -> None:
        if given.quiet is not None:
            processes.wait_until_idle(given.quiet, _PATIENCE_S)

    calm()
    figures = {"vedette": suite(given.work, long, given.seconds, viewer=given.viewer)}
    for kind in BASELINES:
        calm()
        figures[kind] = baseline(kind, short, model, given.seconds)
    return figures


def unpack_model(work: Path) -> Path:
    """Return the example's model file."""
    for archive in sorted((EXAMPLE / "assets").glob("*.tar.gz")):
        with tarfile.open(archive) as members:
            name = next((name for name in members.getnames() if name.endswith(".onnx")), None)
            if name is not None:
                content = members.extractfile(name)
                if content is not None:
                    (work / "model.onnx").write_bytes(content.read())
                    return work / "model.onnx"
    raise SystemExit(f"no ONNX model in {EXAMPLE / 'assets'}")


def suite(work: Path, video: Path, seconds: float, *, viewer: bool) -> dict[str, Any]:
    """Return the suite's figures over ``seconds``."""
    with Suite(work, video) as running:
        stop = threading.Event()
        if viewer:
            running.look(stop)
        time.sleep(_WARM_UP_S)
        began, busy = time.monotonic(), processes.machine_cpu_s()
        reading = running.read(seconds)
        elapsed_s = time.monotonic() - began
        others = (processes.machine_cpu_s() - busy) / elapsed_s - reading.cpu_ms * reading.fps / 1000
        by_process = {name: used._asdict() for name, used in running.memory_by_process().items()}
        stop.set()
    return {**reading._asdict(), "other_load": others, "memory": by_process}


def baseline(kind: str, video: Path, model: Path, seconds: float) -> dict[str, Any]:
    """Return the figures of one loop."""
    script = Path(__file__).with_name("baselines.py")
    began, busy = time.monotonic(), processes.machine_cpu_s()
    done = subprocess.run(
        [sys.executable, str(script), kind, str(video), str(model), str(seconds)],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    busy_share = (processes.machine_cpu_s() - busy) / (time.monotonic() - began)
    return {**figures, "other_load": busy_share - figures["cpu_ms"] * figures["fps"] / 1000}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians, and the medians of each round's ratios."""
    kinds = ("vedette", *BASELINES)
    medians = {
        kind: {
            key: median(each[kind][key] for each in rounds)
            for key in ("fps", "cpu_ms", "rss_mb", "pss_mb", "other_load")
        }
        for kind in kinds
    }
    ratios = {
        kind: {
            key: paired([each["vedette"][key] for each in rounds], [each[kind][key] for each in rounds])
            for key in ("fps", "cpu_ms")
        }
        for kind in BASELINES
    }
    return {"medians": medians, "ratios": ratios, "rounds": rounds}


def text(document: dict[str, Any]) -> str:
    """Return the tables."""
    medians, ratios, last = document["medians"], document["ratios"], document["rounds"][-1]["vedette"]
    rows = [
        [
            kind,
            *(f"{figures[key]:.1f}" for key in ("fps", "cpu_ms", "rss_mb", "pss_mb")),
            f"{figures['other_load']:.2f}",
        ]
        for kind, figures in medians.items()
    ]
    for kind, figures in ratios.items():
        rows.append([f"vedette / {kind}", f"{figures['fps']:.2f}", f"{figures['cpu_ms']:.2f}", "", "", ""])
    whole = table(["", "frames/s", "CPU ms/frame", "RSS MB", "PSS MB", "others' load"], rows)
    parts = [
        [name, f"{last['shares'].get(name, 0.0):.2f}", f"{used['rss_mb']:.1f}", f"{used['pss_mb']:.1f}"]
        for name, used in last["memory"].items()
    ]
    processes_table = table(["process (last round)", "CPU ms/frame", "RSS MB", "PSS MB"], parts)
    return f"{whole}\n\n{processes_table}"


if __name__ == "__main__":
    main()
