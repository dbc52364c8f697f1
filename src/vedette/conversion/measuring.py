"""How fast a model file runs on this machine, measured in a process of its own with the server's settings."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.conversion.errors import ConversionFailed
from vedette.large_pages import with_large_pages

_TIMEOUT_S: Final = 300.0
_WARM_UP: Final = 5


@dataclass(frozen=True)
class Speed:
    """What was measured."""

    threads: int
    provider: str
    median_ms: float
    p95_ms: float
    cpu_ms: float
    load_s: float
    memory_mb: float

    @property
    def per_second(self) -> float:
        """Runs a second, one after the other."""
        return 1000 / self.median_ms if self.median_ms else 0.0


def measure(path: Path, threads: int, seconds: float = 2.0, provider: str = "CPUExecutionProvider") -> Speed:
    """Measure one file.

    :raises ConversionFailed: if the engine does not take it
    """
    request = {"path": str(path.absolute()), "threads": threads, "seconds": seconds, "provider": provider}
    process = subprocess.run(
        [sys.executable, "-m", "vedette.conversion.measuring"],
        env=with_large_pages(os.environ),
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if process.returncode != 0:
        last = [line for line in process.stderr.strip().splitlines() if line.strip()]
        raise ConversionFailed(f"{path.name} cannot be measured: {last[-1][:300] if last else process.returncode}")
    return Speed(**json.loads(process.stdout))


def _main() -> None:
    request = json.load(sys.stdin)
    began = time.monotonic()
    run = _tflite(request) if request["path"].endswith(".tflite") else _onnx(request)
    load_s = time.monotonic() - began
    for _ in range(_WARM_UP):
        run()
    taken: list[float] = []
    cpu, started = time.process_time(), time.monotonic()
    while time.monotonic() - started < request["seconds"] or len(taken) < _WARM_UP:
        begin = time.perf_counter()
        run()
        taken.append((time.perf_counter() - begin) * 1000)
    cpu_ms = (time.process_time() - cpu) * 1000 / len(taken)
    taken.sort()
    result: dict[str, Any] = {
        "threads": request["threads"],
        "provider": request["provider"].removesuffix("ExecutionProvider"),
        "median_ms": taken[len(taken) // 2],
        "p95_ms": taken[int(len(taken) * 0.95)],
        "cpu_ms": cpu_ms,
        "load_s": load_s,
        "memory_mb": _peak_mb(),
    }
    sys.stdout.write(json.dumps(result))


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _onnx(request: dict[str, Any]) -> Any:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(request["path"], options, providers=[request["provider"]])
    kinds = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(float16)": "float16",
             "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(double)": "float64"}  # fmt: skip
    rng = np.random.default_rng(1)
    given = {
        item.name: (rng.random([s if isinstance(s, int) else 1 for s in item.shape]) * 200).astype(kinds[item.type])
        if item.type == "tensor(uint8)"
        else rng.random([s if isinstance(s, int) else 1 for s in item.shape]).astype(kinds[item.type])
        for item in session.get_inputs()
    }
    return lambda: session.run(None, given)


def _tflite(request: dict[str, Any]) -> Any:
    from importlib import import_module

    import numpy as np

    module: Any = import_module("ai_edge_litert.interpreter")
    interpreter = module.Interpreter(model_path=request["path"], num_threads=request["threads"])
    interpreter.allocate_tensors()
    rng = np.random.default_rng(1)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], (rng.random(detail["shape"]) * 200).astype(detail["dtype"]))
    return interpreter.invoke


if __name__ == "__main__":
    _main()
