"""Opens a model as the component does and says what runs it; run by the environment of test_openvino.py.

usage: openvino_session.py MODEL PROVIDERS, the latter separated by commas
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError
from vedette_model_inference.onnx_session import OnnxSession


def main() -> None:
    """Write provider, warnings, and the difference from the CPU's result as JSON."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logging.getLogger("vedette_model_inference").addHandler(Kept())
    path, providers = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
    try:
        session = OnnxSession(path, Configuration(threads=2, providers=providers))
    except LoadError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        return
    cpu = OnnxSession(path, Configuration(threads=2, providers=("CPUExecutionProvider",)))
    (spec,) = session.inputs
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in spec.shape]
    given = {spec.name: np.random.default_rng(1).random(shape).astype(spec.dtype)}
    gaps = [
        float(np.abs(one - other).mean() / max(float(np.ptp(other)), 1e-9))
        for one, other in zip(session.run(given), cpu.run(given), strict=True)
    ]
    sys.stdout.write(json.dumps({"provider": session.provider, "mean": max(gaps), "said": said}))


if __name__ == "__main__":
    main()
