"""One trained detector in every form that Vedette takes: converted, compared, and looked at on the street scene.

usage: tested_models.py [--form FILE]... [--markdown] [--json]

NanoDet-g, which the examples carry, is built anew in each framework from its own weights (tests/fixtures/models/
nanodet), written in the framework's form and imported as anybody's model. ``difference`` is between the framework and
the converted model; ``persons`` and ``boxes`` are what the converted one finds in every 26th frame, beside what the
examples' int8 original finds. The first run installs PyTorch, TensorFlow and MXNet, about 700 MB. ``--markdown`` prints
the rows of docs/ref/models.md.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from figures import table, tell

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

_NANODET: Final = Path(__file__).parents[1] / "tests" / "fixtures" / "models" / "nanodet"
_NCHW: Final = (1, 3, 416, 416)
_NHWC: Final = (1, 416, 416, 3)
_EVERY: Final = 26
_PERSON: Final = 0
_DOCUMENT: Final = read_frame_document(
    '{"preprocess": {"colorOrder": "BGR", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]},'
    ' "postprocess": {"type": "nanodet", "scoreThreshold": 0.4}}'
)
FORMS: Final[dict[str, tuple[str, Toolchain, tuple[int, ...]]]] = {
    "net.pt": ("TorchScript", TORCH, _NCHW),
    "net.pt2": ("ExportedProgram", TORCH, _NCHW),
    "saved": ("SavedModel", TENSORFLOW, _NHWC),
    "frozen.pb": ("TensorFlow frozen graph", TENSORFLOW, _NHWC),
    "net.h5": ("Keras `.h5`", TENSORFLOW, _NHWC),
    "net.keras": ("Keras `.keras`", TENSORFLOW, _NHWC),
    "net.tflite": ("TFLite", TENSORFLOW, _NHWC),
    "net-symbol.json": ("MXNet symbol and parameters", MXNET, _NCHW),
    "net.cfg": ("Darknet cfg and weights", DARKNET, _NCHW),
}
"""By the file that is imported: what it is, what converts it, and the input's shape."""


def source_model(folder: Path) -> Path:
    """Unpack the examples' own model."""
    (archive,) = (examples_dir() / "people-counter" / "assets").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        (member,) = [m for m in tar if m.name.endswith(".onnx")]
        stream = tar.extractfile(member)
        if stream is None:
            raise SystemExit(f"{archive} has no file {member.name}")
        (folder / "nanodet.onnx").write_bytes(stream.read())
    return folder / "nanodet.onnx"


def _frames() -> Iterator[Any]:
    import av

    with av.open(str(examples_dir() / "media" / "street.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % _EVERY == 0:
                yield frame.to_ndarray(format="bgr24")


def found(model: Path, shape: Sequence[int]) -> Iterator[Detections]:
    """Yield what the model finds in every 26th frame of the street."""
    session = open_model(model, 2)
    (name,) = [item.name for item in session.get_inputs()]
    maker = TensorMaker(_DOCUMENT.preprocess, shape, "float32")
    tensor = np.empty(maker.shape, maker.dtype)
    if _DOCUMENT.postprocess is None:
        raise SystemExit("no postprocess")
    for picture in _frames():
        height, width = picture.shape[:2]
        placement = maker.fill(picture.reshape(-1), width, height, BGR, tensor)
        outputs = session.run(None, {name: tensor})
        if len(outputs) == 1:
            outputs = _strides_of(outputs[0])
        # TFLite's converter orders outputs by itself: scores first, the finest stride first.
        outputs = sorted(outputs, key=lambda output: (-output.shape[2], -output.shape[1]))
        yield detections(_DOCUMENT.postprocess, [str(n) for n in range(len(outputs))], outputs, placement)


def _strides_of(whole: np.ndarray) -> list[np.ndarray]:
    """Return scores and distances of each stride from Darknet's one output, (1, 372, 52, 52), finest first."""
    parts = [whole[:, 124 * n : 124 * (n + 1), :: 2**n, :: 2**n] for n in range(3)]
    flat = [part.reshape(1, 124, -1).transpose(0, 2, 1) for part in parts]
    return [*(part[:, :, :80] for part in flat), *(part[:, :, 80:] for part in flat)]


def measure(forms: Sequence[str]) -> dict[str, Any]:
    """Return a row for each form."""
    cache, rows = cache_folder(), []
    with tempfile.TemporaryDirectory(prefix="tested-models-") as name:
        folder = Path(name)
        original = source_model(folder)
        layers = folder / "layers.npz"
        subprocess.run([sys.executable, str(_NANODET / "layers.py"), str(original), str(layers)], check=True)
        wanted = list(found(original, _NCHW))
        for form in forms:
            words, toolchain, shape = FORMS[form]
            python = environment_python(toolchain, cache, _progress)
            program = _NANODET / f"make_{toolchain.name}.py"
            subprocess.run([str(python), str(program), str(layers), form], cwd=folder, check=True, timeout=900)
            wish = Wanted((DeclaredInput("data", shape),))
            made = Converter(cache).convert(folder / form, wish, _progress, fresh=True)
            got = list(found(made.path, shape))
            rows.append(
                {
                    "form": form,
                    "words": words,
                    "converter": toolchain.requirements[0].replace("==", " "),
                    "seconds": made.document["seconds"],
                    "difference": made.document["proof"]["largestDifference"],
                    "batch": made.document["batch"],
                    "persons": _persons(got),
                    "persons_of_original": _persons(wanted),
                    "boxes": sum(found_again(one, other) for one, other in zip(wanted, got, strict=True)),
                    "boxes_of_original": sum(len(boxes) for boxes, _, _ in wanted),
                }
            )
    return {"rows": rows}


def _persons(every: Sequence[Detections]) -> int:
    return sum(int((kinds == _PERSON).sum()) for _, _, kinds in every)


def _progress(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Convert, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", action="append", choices=list(FORMS), help="only these; default: all")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(given.form or list(FORMS))
    lines = [
        [
            row["words"],
            row["converter"],
            f"{row['seconds']:.0f}",
            f"{row['difference']:.1e}",
            row["batch"],
            f"{row['persons']} ({row['persons_of_original']})",
            f"{row['boxes']} of {row['boxes_of_original']}",
        ]
        for row in figures["rows"]
    ]
    if given.markdown:
        sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in lines))
        return
    head = ["", "converter", "seconds", "difference", "batch", "persons", "boxes found again"]
    tell(figures, table(head, lines), as_json=given.json)


if __name__ == "__main__":
    main()
