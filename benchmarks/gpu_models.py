"""What the model server does with an NVIDIA GPU: which execution provider it takes, how fast, how equal.

usage: gpu_models.py MODEL.onnx [--seconds S] [--batch N] [--json]

Needs ``onnxruntime-gpu`` in place of ``onnxruntime`` in an environment of its own, CUDA and cuDNN 9 (and TensorRT 10
for its provider)::

    uv venv gpu
    uv pip install --python gpu/bin/python onnxruntime-gpu[cuda,cudnn] numpy pydantic opencv-python-headless
    PYTHONPATH=src:components/model_inference:benchmarks gpu/bin/python benchmarks/gpu_models.py MODEL.onnx

Opens the model with the server's own code: ``auto``, then each provider that is there by name, the CPU last. Each runs
the same input; the CPU's outputs are what the others are compared with. ``batch``: calls that one run answers, as the
server finds it out.
"""

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from figures import table, tell
from vedette_model_inference.batching import best_batch
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError
from vedette_model_inference.onnx_session import OnnxSession
from vedette_model_inference.providers import AUTO, BEST_FIRST, CPU, has_nvidia
from vedette_model_inference.session import known_shape


def preload() -> str:
    """Load CUDA's libraries from the environment's own packages, where ONNX Runtime knows how; say what came of it."""
    load = getattr(onnxruntime, "preload_dlls", None)
    if load is None:
        return "this ONNX Runtime does not load CUDA's libraries itself"
    try:
        load()
    except Exception as error:  # noqa: BLE001 - told, and the providers tell the rest
        return f"CUDA's libraries: {error}"
    return "CUDA's libraries are loaded"


def measured(path: Path, provider: str, seconds: float, batch: int) -> dict[str, Any]:
    """Return what one provider gives."""
    configuration = Configuration(providers=(provider,), threads=max(1, len(os.sched_getaffinity(0)) // 2))
    began = time.monotonic()
    session = OnnxSession(path, configuration)
    rng = np.random.default_rng(0)
    inputs = {
        spec.name: (
            rng.random(known_shape(spec, (), len(session.inputs), 1)) * (255 if spec.dtype == "uint8" else 1)
        ).astype(spec.dtype)
        for spec in session.inputs
    }
    outputs = session.run(inputs)
    load_s = time.monotonic() - began
    taken: list[float] = []
    cpu = time.process_time()
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(taken) < 10:
        begin = time.perf_counter()
        session.run(inputs)
        taken.append((time.perf_counter() - begin) * 1000)
    cpu_ms = (time.process_time() - cpu) * 1000 / len(taken)
    chosen = best_batch(session, (), batch)
    together = None
    if chosen > 1:
        whole = {name: np.concatenate([values] * chosen) for name, values in inputs.items()}
        session.run(whole)
        times = []
        for _ in range(20):
            begin = time.perf_counter()
            session.run(whole)
            times.append((time.perf_counter() - begin) * 1000 / chosen)
        together = median(times)
    return {
        "asked": provider,
        "runs_on": session.provider,
        "load_and_first_run_s": load_s,
        "median_ms": median(taken),
        "p95_ms": sorted(taken)[int(len(taken) * 0.95)],
        "cpu_ms": cpu_ms,
        "batch": chosen,
        "batched_ms": together,
        "outputs": outputs,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    said = preload()
    available = onnxruntime.get_available_providers()
    found: list[dict[str, Any]] = []
    failed: list[str] = []
    for provider in [AUTO, *(name for name in BEST_FIRST if name in available)]:
        try:
            found.append(measured(given.model, provider, given.seconds, given.batch))
        except LoadError as error:
            failed.append(f"{provider}: {error}")
    cpu = next(row for row in found if row["asked"] == CPU)
    for row in found:
        spans = [float(np.ptp(other)) or 1.0 for other in cpu["outputs"]]
        gaps = [
            float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max()) / span
            for one, other, span in zip(row["outputs"], cpu["outputs"], spans, strict=True)
        ]
        row["difference"] = max(gaps, default=0.0)
    for row in found:
        del row["outputs"]
    rows = [
        [
            row["asked"].removesuffix("ExecutionProvider"),
            row["runs_on"],
            f"{row['load_and_first_run_s']:.1f}",
            f"{row['median_ms']:.2f}",
            f"{row['p95_ms']:.2f}",
            f"{row['cpu_ms']:.2f}",
            str(row["batch"]),
            "-" if row["batched_ms"] is None else f"{row['batched_ms']:.2f}",
            f"{row['difference']:.1e}",
        ]
        for row in found
    ]
    head = ["asked for", "runs on", "load s", "ms", "p95", "CPU ms", "batch", "ms in it", "difference"]
    about = f"NVIDIA GPU: {'yes' if has_nvidia() else 'no'}; {said}; providers: {', '.join(available)}"
    text = "\n".join([about, "", table(head, rows), *failed])
    tell({"nvidia": has_nvidia(), "available": available, "rows": found, "failed": failed}, text, as_json=given.json)


if __name__ == "__main__":
    main()
