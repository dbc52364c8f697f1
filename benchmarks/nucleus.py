"""Starting the local nucleus in the background, and what it costs while nothing happens.

usage: nucleus.py [--runs N] [--idle SECONDS] [--json]

* start: ``vedette nucleus start --detach`` from the call to its return, when the nucleus answers; on a root of its own,
  and on one where a component ran before. The baseline is Python itself: ``python -c pass``, the command's imports.
* idle: CPU and memory of the nucleus, its guard included, with nothing deployed and nobody connected
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import processes

_COMMAND: Final = [sys.executable, "-m", "vedette.cli.main"]
_RECIPE: Final = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "vedette.Benchmark",
    "ComponentVersion": "1.0.0",
    "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "exec sleep 100000"}}],
}


def took_s(command: Sequence[str]) -> float:
    """Return how long a command runs, s."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - begun


def started(root: Path) -> float:
    """Return how long a start takes, s."""
    return took_s([*_COMMAND, "nucleus", "start", "--root", str(root), "--detach"])


def stop(root: Path) -> None:
    """Stop the nucleus."""
    took_s([*_COMMAND, "nucleus", "stop", "--root", str(root)])


def pid_of(root: Path) -> int:
    """Return the process number of the nucleus on a root."""
    command = [*_COMMAND, "nucleus", "status", "--root", str(root), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return int(json.loads(done.stdout)["pid"])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vdb"))
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without compiled files a start takes longer
    root = folder / "root"
    times: dict[str, list[float]] = {"python -c pass": [], "import the command": [], "start": [], "start again": []}
    try:
        started(root)
        stop(root)
        for _ in range(given.runs):
            times["python -c pass"].append(took_s([sys.executable, "-c", "pass"]))
            times["import the command"].append(took_s([sys.executable, "-c", "import vedette.cli.nucleus"]))
            times["start"].append(started(root))
            stop(root)
        recipes = root / "packages" / "recipes"
        recipes.mkdir(parents=True)
        (recipes / "vedette.Benchmark-1.0.0.json").write_text(json.dumps(_RECIPE))
        started(root)
        took_s([*_COMMAND, "deployment", "create", "--root", str(root), "--merge", "vedette.Benchmark"])
        stop(root)
        for _ in range(given.runs):
            times["start again"].append(started(root))
            stop(root)
        empty = folder / "empty"
        started(empty)
        family = processes.family(pid_of(empty))
        begun, before = time.monotonic(), processes.cpu_s(family)
        time.sleep(given.idle)
        idle = (processes.cpu_s(family) - before) / (time.monotonic() - begun)
        memory = processes.memory(family)
        stop(empty)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = {
        name: {"median_s": round(median(values), 3), "longest_s": round(max(values), 3)}
        for name, values in times.items()
    }
    if given.json:
        sys.stdout.write(
            json.dumps({"start": found, "idle_cpu": round(idle, 5), "pss_mb": round(memory.pss_mb, 1)}) + "\n"
        )
        return 0
    for name, values in found.items():
        sys.stdout.write(f"{name:20} median {values['median_s']:.2f} s   longest {values['longest_s']:.2f} s\n")
    sys.stdout.write(f"idle                 {idle:.2%} of a core, {memory.pss_mb:.0f} MB (PSS)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
