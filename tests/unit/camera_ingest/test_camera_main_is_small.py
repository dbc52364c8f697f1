"""Both processes must stay small: the main one loads neither decoder nor arrays, a worker no models of messages."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [("__main__", ("av", "numpy", "cv2", "onnxruntime", "ssl")), ("worker", ("pydantic", "awsiot", "numpy", "ssl"))],
)
def test_process_loads_what_it_does_not_need(module: str, unwanted: tuple[str, ...]) -> None:
    code = (
        f"import sys, vedette_camera_ingest.{module}\n"
        f"loaded = set({unwanted!r}) & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(loaded)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
