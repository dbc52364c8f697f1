"""Tables and summaries that every benchmark prints."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

_LIBRARIES: Final = ("av", "numpy", "onnxruntime", "opencv-python-headless", "pydantic", "awsiotsdk")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str:
    """Return a library's version; a machine that runs one benchmark needs not have what the others need."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def paired(values: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of values that were measured next to each other."""
    return median(value / other for value, other in zip(values, others, strict=True))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned lines: the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = []
    for line in (head, *rows):
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        cells[0] = line[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def tell(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the figures, as data or as tables."""
    if as_json:
        sys.stdout.write(json.dumps({"machine": machine(), **document}, indent=2) + "\n")
    else:
        about = machine()
        sys.stdout.write(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, Python {about['python']}\n")
        sys.stdout.write(f"{', '.join(f'{name} {about[name]}' for name in _LIBRARIES)}\n\n{text}\n")
