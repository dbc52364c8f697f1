"""The frameworks themselves: hundreds of MB, so only where VEDETTE_TEST_CONVERTERS=1 asks for it."""

import os
import subprocess
from pathlib import Path

import pytest

from vedette.conversion import Converter, DeclaredInput, Wanted
from vedette.conversion.environments import environment_python
from vedette.conversion.folders import cache_folder
from vedette.conversion.toolchains import DARKNET, MXNET, TENSORFLOW, TORCH, Toolchain

MODELS = Path(__file__).parents[2] / "fixtures" / "models"
NCHW, NHWC = (1, 3, 32, 32), (1, 32, 32, 3)

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("VEDETTE_TEST_CONVERTERS") != "1",
        reason="installs PyTorch, TensorFlow and MXNet: VEDETTE_TEST_CONVERTERS=1 asks for it",
    ),
    pytest.mark.timeout(900),
]


@pytest.mark.parametrize(
    ("toolchain", "file", "shape", "outputs"),
    [
        (TORCH, "net.pt", NCHW, [(1, 100, 1), (1, 4)]),
        (TORCH, "net.pt2", NCHW, [(1, 100, 1), (1, 4)]),
        (TENSORFLOW, "saved", NHWC, [(1, 100, 1), (1, 4)]),
        (TENSORFLOW, "frozen.pb", NHWC, [(1, 100, 1), (1, 4)]),
        (TENSORFLOW, "net.h5", NCHW, [(1, 4)]),
        (TENSORFLOW, "net.keras", NHWC, [(1, 4)]),
        (TENSORFLOW, "net.tflite", NHWC, [(1, 4)]),
        (MXNET, "net-symbol.json", NCHW, [(1, 100, 1), (1, 4)]),
        (DARKNET, "yolo_small.cfg", NCHW, [(1, 640, 7)]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_real_framework_is_not_converted(
    tmp_path: Path, toolchain: Toolchain, file: str, shape: tuple[int, ...], outputs: list[tuple[int, ...]]
) -> None:
    cache = cache_folder()
    path = MODELS / file
    if toolchain is not DARKNET:
        python = environment_python(toolchain, cache, print)
        program = MODELS / f"make_{toolchain.name}.py"
        subprocess.run([str(python), str(program), file], cwd=tmp_path, check=True, timeout=600)
        path = tmp_path / file
    wanted = Wanted((DeclaredInput("data", shape),))
    document = Converter(cache).convert(path, wanted, print, fresh=True).document
    assert document["proof"]["largestDifference"] < 1e-3
    assert [item["name"] for item in document["inputs"]] == ["data"]
    assert [tuple(item["shape"]) for item in document["proof"]["outputs"]] == outputs
    assert document["batch"] == "free"
