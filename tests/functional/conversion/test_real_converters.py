"""The frameworks themselves: hundreds of MB, so only where VEDETTE_TEST_CONVERTERS=1 asks for it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from vedette.conversion import Converter, DeclaredInput, ProofFailed, Wanted
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


def made(toolchain: Toolchain, file: str, folder: Path) -> Path:
    """Return a small network of the framework's own, made by it."""
    if toolchain is DARKNET:
        return MODELS / file
    python = environment_python(toolchain, cache_folder(), print)
    program = MODELS / f"make_{toolchain.name}.py"
    subprocess.run([str(python), str(program), file], cwd=folder, check=True, timeout=600)
    return folder / file


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
    wanted = Wanted((DeclaredInput("data", shape),))
    path = made(toolchain, file, tmp_path)
    document = Converter(cache_folder()).convert(path, wanted, print, fresh=True).document
    assert document["proof"]["largestDifference"] < 1e-3
    assert [item["name"] for item in document["inputs"]] == ["data"]
    assert [tuple(item["shape"]) for item in document["proof"]["outputs"]] == outputs
    assert document["batch"] == "free"


@pytest.mark.parametrize(
    ("toolchain", "file", "shape", "operator"),
    [
        (TORCH, "net.pt2", NCHW, "Clip `hardtanh`"),
        (TENSORFLOW, "net.h5", NHWC, ""),
        (TENSORFLOW, "frozen.pb", NHWC, "Conv `Conv2D`"),
        (MXNET, "net-symbol.json", NCHW, "Conv `conv0`"),
        (DARKNET, "yolo_small.cfg", NCHW, "LeakyRelu `leaky_0`"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_difference_has_no_place_in_the_network(
    tmp_path: Path, toolchain: Toolchain, file: str, shape: tuple[int, ...], operator: str
) -> None:
    # No network computes the same to ten digits in two libraries: the first operator that rounds is named.
    wanted = Wanted((DeclaredInput("data", shape),), tolerance=1e-10)
    with pytest.raises(ProofFailed, match=f"; it begins at {re.escape(operator)}"):
        Converter(cache_folder()).convert(made(toolchain, file, tmp_path), wanted, print, fresh=True)
