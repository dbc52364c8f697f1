"""A really trained detector in every form: converted, it must find the persons of the street that the original finds.

NanoDet-g, which the examples carry, is built anew in each framework from its own weights (tests/fixtures/models/
nanodet), written in the framework's form, and imported as anybody's model. Only where VEDETTE_TEST_CONVERTERS=1.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedette.conversion import Converter, DeclaredInput, Wanted
from vedette.conversion.environments import environment_python
from vedette.conversion.folders import cache_folder
from vedette.conversion.proof import open_model
from vedette.conversion.quantising import found_again
from vedette.conversion.toolchains import DARKNET, MXNET, TENSORFLOW, TORCH, Toolchain
from vedette.pictures import read_frame_document
from vedette.pictures.boxes import Detections, detections
from vedette.pictures.tensors import BGR, TensorMaker
from vedette.resources import examples_dir

NANODET = Path(__file__).parents[2] / "fixtures" / "models" / "nanodet"
NCHW, NHWC = (1, 3, 416, 416), (1, 416, 416, 3)
EVERY = 26
PERSON = 0
DOCUMENT = read_frame_document(
    '{"preprocess": {"colorOrder": "BGR", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]},'
    ' "postprocess": {"type": "nanodet", "scoreThreshold": 0.4}}'
)

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("VEDETTE_TEST_CONVERTERS") != "1",
        reason="installs PyTorch, TensorFlow and MXNet: VEDETTE_TEST_CONVERTERS=1 asks for it",
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples' own model."""
    folder = tmp_path_factory.mktemp("nanodet")
    (archive,) = (examples_dir() / "people-counter" / "assets").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        (member,) = [m for m in tar if m.name.endswith(".onnx")]
        stream = tar.extractfile(member)
        assert stream is not None
        (folder / "nanodet.onnx").write_bytes(stream.read())
    return folder / "nanodet.onnx"


@pytest.fixture(scope="module")
def layers(source: Path) -> Path:
    target = source.with_name("layers.npz")
    subprocess.run([sys.executable, str(NANODET / "layers.py"), str(source), str(target)], check=True, timeout=120)
    return target


@pytest.fixture(scope="module")
def wanted(source: Path) -> list[Detections]:
    """What the int8 original finds in the street."""
    return list(found(source, NCHW))


def frames() -> Iterator[Any]:
    import av

    with av.open(str(examples_dir() / "media" / "street.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % EVERY == 0:
                yield frame.to_ndarray(format="bgr24")


def found(model: Path, shape: Sequence[int]) -> Iterator[Detections]:
    """Yield what the model finds in every 26th frame."""
    session = open_model(model, 2)
    (name,) = [item.name for item in session.get_inputs()]
    maker = TensorMaker(DOCUMENT.preprocess, shape, "float32")
    tensor = np.empty(maker.shape, maker.dtype)
    assert DOCUMENT.postprocess is not None
    for picture in frames():
        height, width = picture.shape[:2]
        placement = maker.fill(picture.reshape(-1), width, height, BGR, tensor)
        outputs = session.run(None, {name: tensor})
        if len(outputs) == 1:
            outputs = strides_of(outputs[0])
        # TFLite's converter orders outputs by itself: scores first, the finest stride first.
        outputs = sorted(outputs, key=lambda output: (-output.shape[2], -output.shape[1]))
        yield detections(DOCUMENT.postprocess, [str(n) for n in range(len(outputs))], outputs, placement)


def strides_of(whole: np.ndarray) -> list[np.ndarray]:
    """Return scores and distances of each stride from Darknet's one output, (1, 372, 52, 52), finest first."""
    parts = [whole[:, 124 * n : 124 * (n + 1), :: 2**n, :: 2**n] for n in range(3)]
    flat = [part.reshape(1, 124, -1).transpose(0, 2, 1) for part in parts]
    return [*(part[:, :, :80] for part in flat), *(part[:, :, 80:] for part in flat)]


@pytest.mark.parametrize(
    ("toolchain", "file", "shape"),
    [
        (TORCH, "net.pt", NCHW),
        (TORCH, "net.pt2", NCHW),
        (TENSORFLOW, "saved", NHWC),
        (TENSORFLOW, "frozen.pb", NHWC),
        (TENSORFLOW, "net.h5", NHWC),
        (TENSORFLOW, "net.keras", NHWC),
        (TENSORFLOW, "net.tflite", NHWC),
        (MXNET, "net-symbol.json", NCHW),
        (DARKNET, "net.cfg", NCHW),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trained_detector_finds_other_persons(
    tmp_path: Path, layers: Path, wanted: list[Detections], toolchain: Toolchain, file: str, shape: tuple[int, ...]
) -> None:
    # GIVEN the trained network in a framework's own form
    cache = cache_folder()
    python = environment_python(toolchain, cache, print)
    program = NANODET / f"make_{toolchain.name}.py"
    subprocess.run([str(python), str(program), str(layers), file], cwd=tmp_path, check=True, timeout=800)
    # WHEN it is imported
    converted = Converter(cache).convert(tmp_path / file, Wanted((DeclaredInput("data", shape),)), print, fresh=True)
    # THEN it computes what the framework computes
    proof = converted.document["proof"]
    assert proof["largestDifference"] < 1e-3
    # AND finds the persons that the examples' own model finds
    got = list(found(converted.path, shape))
    people = [sum(kinds == PERSON) for _, _, kinds in (each for each in wanted)]
    seen = sum(found_again(one, other) for one, other in zip(wanted, got, strict=True))
    total = sum(len(boxes) for boxes, _, _ in wanted)
    counted = [int(sum(kinds == PERSON)) for _, _, kinds in got]
    sys.stdout.write(
        f"RESULT {file}: difference {proof['largestDifference']:.1e}, batch {converted.document['batch']}, "
        f"persons {sum(counted)} of the original's {sum(people)}, boxes found again {seen} of {total}\n"
    )
    assert seen >= 0.9 * total
    assert abs(sum(counted) - sum(people)) <= 0.1 * sum(people)
