"""A display that nobody looks at must stay small: it loads neither OpenCV nor numpy."""

import subprocess
import sys


def test_display_loads_the_encoder_before_somebody_looks() -> None:
    code = (
        "import sys, vedette_display.__main__\n"
        "loaded = {'cv2', 'numpy', 'av', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(loaded)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
