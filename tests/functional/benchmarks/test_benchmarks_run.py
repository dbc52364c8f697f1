"""The benchmarks must run and find frames and calls to measure; their figures depend on the machine and are not judged.

``end_to_end.py`` is left out: it needs the example's environment, a long clip and a minute.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"
STREET = ROOT / "examples" / "media" / "street.mp4"

pytestmark = pytest.mark.timeout(240)


def run(script: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_ring_hands_no_frame_over() -> None:
    figures = run("ring.py", "--seconds", "0.5", "--fps", "100", "--json")
    assert 0 < figures["received"] <= figures["published"]
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]


def test_calls_measure_nothing() -> None:
    figures = run("calls.py", "--starts", "1", "--rounds", "1", "--calls", "3", "--json")
    quick, slow = figures["1x3x224x224"], figures["detector"]
    assert quick["node.call"]["p50_ms"] > quick["session.run"]["p50_ms"] > 0
    assert slow["node.call"]["per_s"] > 0
    assert slow["throughput"] > 0
    assert slow["session.run"]["p50_ms"] > quick["session.run"]["p50_ms"]


def test_ingest_finds_no_frames(tmp_path: Path) -> None:
    arguments = ("--rounds", "1", "--seconds", "0.5", "--clip", str(STREET), "--work", str(tmp_path), "--json")
    medians = run("ingest.py", *arguments)["medians"]
    assert medians["decode"]["fps"] > 0
    assert medians["CameraIngest"]["fps"] > 0


@pytest.mark.parametrize("kind", ["opencv", "bare"])
def test_baseline_does_not_run_the_model(kind: str, tmp_path: Path) -> None:
    code = "import pathlib, sys, end_to_end; print(end_to_end.unpack_model(pathlib.Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    figures = run("baselines.py", kind, str(STREET), done.stdout.strip(), "0.5")
    assert figures["fps"] > 0
    assert figures["rss_mb"] >= figures["pss_mb"] > 0


def test_frame_path_compares_nothing() -> None:
    rows = {row["way"]: row for row in run("frame_path.py", "--rounds", "1", "--frames", "5", "--json")["rows"]}
    assert rows["by reference"]["application_ms"] > 0
    assert rows["opencv, look-up"]["together_ms"] > 0
