"""What the converters' programs share: their request, sample inputs, words to the one who started them.

Runs in the converters' environments (Python 3.9 and later, numpy), never in Vedette's own.
"""

import json
import os
import re
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence, Tuple

import numpy as np

MARK = "::vedette "
SAMPLES = 8
_PICTURES = 4
"""So many of the samples are made of real pictures, where an input looks like one."""


class Refused(Exception):
    """The model cannot be converted; what is wrong, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Request:
    """What is to be done, from the JSON file named on the command line.

    ``inputs``: name, shape and dtype as the descriptor has them; may be empty. ``output``: the ONNX file to write.
    ``reference``: the .npz file for samples and the original's outputs. ``pictures``: .npy of (n, H, W, 3) uint8 RGB.
    """

    def __init__(self, document: Dict[str, Any]) -> None:
        self.framework: str = document["framework"]
        self.main: str = document["main"]
        self.other: str = document.get("other") or ""
        self.inputs: List[Dict[str, Any]] = document.get("inputs") or []
        self.outputs: List[str] = document.get("outputs") or []
        self.output: str = document["output"]
        self.reference: str = document["reference"]
        self.pictures: str = document.get("pictures") or ""
        self.opset: int = document.get("opset", 17)
        self.options: Dict[str, Any] = document.get("options") or {}


def tell(text: str) -> None:
    """Say what goes on."""
    _send({"progress": text})


def run(convert: Callable[[Request], Optional[Dict[str, Any]]]) -> NoReturn:
    """Do what the request says and end the process; what goes wrong is told in one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    try:
        request = Request(json.loads(Path(sys.argv[1]).read_text()))
        _send({"result": convert(request) or {}})
        code = 0
    except Refused as error:
        _send({"error": str(error), "hint": error.hint})
        code = 2
    except Exception as error:
        traceback.print_exc()
        _send({"error": "{}: {}".format(type(error).__name__, first_line(error)), "hint": ""})
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Some frameworks' threads never end by themselves.
    os._exit(code)


def first_line(error: BaseException, limit: int = 400) -> str:
    """Return the first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:limit]


def named_operators(text: str) -> List[str]:
    """Return the operators that an error text names."""
    found = re.findall(r"(?:operator|op type|Op type|op|layer type)[ :]+['`\"\[]?([A-Za-z_][\w:.]+)", text)
    return list(dict.fromkeys(found))


def sample_inputs(request: Request, inputs: Sequence[Tuple[str, Sequence[int], str]]) -> List[Dict[str, np.ndarray]]:
    """Return SAMPLES sets of inputs for (name, shape, dtype): real pictures where an input looks like one, else noise.

    Float inputs get values as networks are fed: 0..1, -1..1, a normal distribution; bytes get 0..255.
    """
    rng = np.random.default_rng(20240229)
    pictures = np.load(request.pictures) if request.pictures else None
    samples = []
    for number in range(SAMPLES):
        sample = {}
        for name, shape, dtype in inputs:
            picture = None
            if pictures is not None and number < _PICTURES:
                picture = _as_picture(pictures[number % len(pictures)], list(shape))
            sample[name] = _values(rng, picture, tuple(shape), dtype, number)
        samples.append(sample)
    return samples


def _values(
    rng: np.random.Generator, picture: Optional[np.ndarray], shape: Tuple[int, ...], dtype: str, number: int
) -> np.ndarray:
    kind = np.dtype(dtype)
    if picture is not None:
        if kind.kind in "iu":
            return picture.astype(kind)
        scaled = picture.astype(np.float32) / 255 if number % 2 == 0 else picture.astype(np.float32) / 127.5 - 1
        return np.ascontiguousarray(scaled.astype(kind))
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(kind)
    if kind.kind in "iu":
        # Integers that are no picture may be indices: small ones are the safest guess.
        top = 256 if kind.itemsize == 1 else 2
        return rng.integers(0, min(top, np.iinfo(kind).max), shape).astype(kind)
    values = rng.random(shape) if number % 2 == 0 else rng.standard_normal(shape)
    return values.astype(kind)


def _as_picture(picture: np.ndarray, shape: List[int]) -> Optional[np.ndarray]:
    """Return the picture in ``shape``, (N, 3, H, W), (N, H, W, 3), (3, H, W) or (H, W, 3); None for another."""
    batch = shape[0] if len(shape) == 4 else 1
    inner = shape[1:] if len(shape) == 4 else shape
    if len(inner) != 3 or 3 not in (inner[0], inner[2]):
        return None
    planes_first = inner[0] == 3
    height, width = (inner[1], inner[2]) if planes_first else (inner[0], inner[1])
    if min(height, width) < 8:
        return None
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    small = picture[rows][:, columns]
    small = small.transpose(2, 0, 1) if planes_first else small
    return np.repeat(small[None], batch, 0) if len(shape) == 4 else small


def write_reference(
    request: Request, samples: Sequence[Dict[str, np.ndarray]], outputs: Sequence[Sequence[np.ndarray]]
) -> None:
    """Write inputs and the original's outputs: ``in/<sample>/<name>`` and ``out/<sample>/<number>``."""
    arrays: Dict[str, Any] = {}
    for number, (sample, given) in enumerate(zip(samples, outputs)):
        for name, values in sample.items():
            arrays["in/{}/{}".format(number, name)] = values
        for index, values in enumerate(given):
            arrays["out/{}/{}".format(number, index)] = np.asarray(values)
    # Names may hold slashes and colons, which np.savez writes as they are.
    np.savez(request.reference, **arrays)


def write_values(request: Request, values: Dict[str, np.ndarray]) -> None:
    """Write what flows inside of the original on the first sample, by the names that the ONNX file has for it.

    Only where ``options.values`` names a file for it: after a comparison that failed.
    """
    kept: Dict[str, Any] = {"value/" + name: array for name, array in values.items() if array.dtype.kind == "f"}
    np.savez(request.options["values"], **kept)


def declared_shape(request: Request, name: str, only: bool) -> Optional[List[int]]:
    """Return the shape that the descriptor gives an input of this name, or to its only one."""
    for entry in request.inputs:
        if entry["name"] == name or (only and len(request.inputs) == 1):
            return [int(size) for size in entry["shape"]]
    return None


def _send(message: Dict[str, Any]) -> None:
    sys.stdout.write(MARK + json.dumps(message) + "\n")
    sys.stdout.flush()
