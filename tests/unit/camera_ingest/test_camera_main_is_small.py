"""The main process must stay small: it loads neither decoder nor arrays."""

import subprocess
import sys


def test_main_process_loads_no_decoder() -> None:
    code = (
        "import sys, vedette_camera_ingest.__main__\n"
        "loaded = {'av', 'numpy', 'cv2', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(loaded)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
