"""int8 and FP16 variants of an ONNX model, each with the accuracy it loses, measured on frames of a video."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vedette.conversion.environments import Progress
from vedette.conversion.errors import ConversionFailed, ProofFailed
from vedette.conversion.folders import cache_folder
from vedette.conversion.parting import parting_words
from vedette.conversion.proof import open_model
from vedette.conversion.tool import InOwnEnvironment, RunTool
from vedette.conversion.toolchains import ONNX
from vedette.pictures import FrameDocument, Preprocess, SpecificationError
from vedette.pictures.boxes import Detections, detections
from vedette.pictures.geometry import Placement
from vedette.pictures.tensors import I420, TensorMaker

Array = npt.NDArray[Any]
CALIBRATION_FRAMES: Final = 64
CHECK_FRAMES: Final = 32
WORST_LOSS: Final = 0.05
"""Mean loss, as a part of the output's range, above which an int8 model is not kept."""
_FOUND_IOU: Final = 0.5
_OPERATORS: Final = (("Conv", "ConvTranspose", "MatMul", "Gemm"), ("Conv",))


@dataclass(frozen=True)
class Loss:
    """How far a variant is from the full model, on frames that it was not calibrated with."""

    frames: int
    largest: float
    mean: float
    """Of the differences, as parts of the outputs' ranges; the worst output counts."""
    boxes: int | None = None
    found: float | None = None
    """Part of the full model's boxes that the variant finds, too; None without a postprocess block."""

    def words(self) -> str:
        """Say it in a few words."""
        text = f"{self.mean:.2%} mean, {self.largest:.1%} largest"
        return text if self.found is None else f"{text}, {self.found:.1%} of {self.boxes} boxes found"

    def document(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {"frames": self.frames, "largest": self.largest, "mean": self.mean, "boxes": self.boxes,
                "found": self.found}  # fmt: skip


@dataclass(frozen=True)
class Frames:
    """Inputs made of a video's frames."""

    name: str
    tensors: tuple[Array, ...]
    placement: Placement


def read_frames(video: Path, count: int, document: FrameDocument | None, model: Path) -> Frames:
    """Return inputs made of ``count`` frames, evenly spread over the video.

    :raises ConversionError: if the video cannot be read, or the model's input is no picture
    """
    session = open_model(model)
    inputs = session.get_inputs()
    spec = document.preprocess if document is not None else Preprocess(scale=1 / 255)
    wanted = spec.input_name
    chosen = [item for item in inputs if wanted is None or item.name == wanted]
    if len(chosen) != 1 or len(inputs) != 1:
        names = ", ".join(item.name for item in inputs)
        raise ConversionFailed(f"calibration needs a model with one input, this one has {names}")
    shape = [size if isinstance(size, int) else 1 for size in chosen[0].shape]
    dtype = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(float16)": "float16"}.get(chosen[0].type)
    if dtype is None:
        raise ConversionFailed(f"the input {chosen[0].name} is of type {chosen[0].type}, expected a picture")
    try:
        maker = TensorMaker(spec, shape, dtype)
    except SpecificationError as error:
        raise ConversionFailed(f"frames cannot be made into the input: {error}") from error
    tensors, placement = [], maker.placement(2, 2)
    for pixels, width, height in _decoded(video, count):
        tensor = np.empty(maker.shape, maker.dtype)
        placement = maker.fill(pixels, width, height, I420, tensor)
        tensors.append(tensor)
    if not tensors:
        raise ConversionFailed(f"{video} has no frames")
    return Frames(chosen[0].name, tuple(tensors), placement)


def _decoded(video: Path, count: int) -> Iterator[tuple[Array, int, int]]:
    import av

    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            total = stream.frames or count
            step = max(1, total // count)
            given = 0
            for number, frame in enumerate(container.decode(stream)):
                if number % step == 0 and given < count:
                    width, height = frame.width // 2 * 2, frame.height // 2 * 2
                    plain = frame.reformat(width, height, "yuv420p").to_ndarray()
                    given += 1
                    yield np.ascontiguousarray(plain).reshape(-1), width, height
    except (OSError, IndexError, av.FFmpegError) as error:
        raise ConversionFailed(f"{video} cannot be read as a video: {error}") from error


def quantise(
    model: Path,
    video: Path,
    document: FrameDocument | None,
    target: Path,
    progress: Progress,
    run_tool: RunTool | None = None,
) -> Loss:
    """Write an int8 variant of ``model``, calibrated with frames of ``video``; return what it loses.

    All of the frequent operators are tried first, then convolutions alone: sums and constants of some detectors
    overflow in int8 (NanoDet then sees nothing).

    :raises ConversionError: if it cannot be made, or loses more than WORST_LOSS
    """
    tool: RunTool = run_tool or InOwnEnvironment(cache_folder())
    frames = read_frames(video, CALIBRATION_FRAMES + CHECK_FRAMES, document, model)
    calibration, check = _halves(frames)
    loss, where = None, ""
    with tempfile.TemporaryDirectory(prefix="vedette-int8-") as folder:
        work = Path(folder)
        arrays: dict[str, Any] = {f"in/{n}/{frames.name}": tensor for n, tensor in enumerate(calibration)}
        np.savez(work / "calibration.npz", **arrays)
        for operators in _OPERATORS:
            request = {
                "framework": "onnx",
                "main": str(model.absolute()),
                "output": str(work / "int8.onnx"),
                "reference": "",
                "options": {
                    "step": "int8",
                    "calibration": str(work / "calibration.npz"),
                    "operators": list(operators),
                },
            }
            tool(ONNX, request, work, progress)
            progress(f"comparing on {len(check)} frames")
            loss = loss_of(model, work / "int8.onnx", check, frames, document)
            if loss.mean <= WORST_LOSS and (loss.found is None or loss.found >= 1 - 2 * WORST_LOSS):
                shutil.copyfile(work / "int8.onnx", target)
                return loss
            sources = {"original": str(model.absolute()), "sample": str(work / "calibration.npz")}
            where = parting_words(tool, work / "int8.onnx", work, sources, limit=WORST_LOSS, mean=True)
            progress(f"int8 of {', '.join(operators)} loses too much ({loss.words()}){where}")
    assert loss is not None  # noqa: S101 - the loop ran
    raise ProofFailed(
        f"the int8 model loses too much: {loss.words()}{where}",
        "keep FP32 or FP16, or give a video that shows what the cameras see",
    )


def halve(model: Path, target: Path, progress: Progress, run_tool: RunTool | None = None) -> None:
    """Write a variant with weights in FP16; see ``tools/finish_onnx.py``.

    :raises ConversionError: if it cannot be made
    """
    tool: RunTool = run_tool or InOwnEnvironment(cache_folder())
    with tempfile.TemporaryDirectory(prefix="vedette-fp16-") as folder:
        request = {"framework": "onnx", "main": str(model.absolute()), "output": str(target.absolute()),
                   "reference": "", "options": {"step": "fp16"}}  # fmt: skip
        tool(ONNX, request, Path(folder), progress)


def _halves(frames: Frames) -> tuple[list[Array], list[Array]]:
    """Return two thirds for calibration and one for the check, no frame in both where there are enough."""
    check = [tensor for number, tensor in enumerate(frames.tensors) if number % 3 == 2]
    rest = [tensor for number, tensor in enumerate(frames.tensors) if number % 3 != 2]
    return rest, check or rest


def loss_of(full: Path, variant: Path, tensors: "list[Array]", frames: Frames, document: FrameDocument | None) -> Loss:
    """Return what ``variant`` loses on ``tensors``."""
    one, other = open_model(full), open_model(variant)
    names = [output.name for output in one.get_outputs()]
    post = document.postprocess if document is not None else None
    gaps: list[list[float]] = [[] for _ in names]
    lows, highs = [np.inf] * len(names), [-np.inf] * len(names)
    largest = [0.0] * len(names)
    boxes = found = 0
    for tensor in tensors:
        a, b = one.run(None, {frames.name: tensor}), other.run(None, {frames.name: tensor})
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            if left.shape != right.shape or not left.size:
                continue
            gap = np.abs(left.astype(np.float64) - right.astype(np.float64))
            gaps[index].append(float(gap.mean()))
            largest[index] = max(largest[index], float(gap.max()))
            lows[index], highs[index] = min(lows[index], float(left.min())), max(highs[index], float(left.max()))
        if post is not None:
            wanted = detections(post, names, a, frames.placement)
            boxes += len(wanted[1])
            found += found_again(wanted, detections(post, names, b, frames.placement))
    spans = [max(high - low, 1e-9) if np.isfinite(high) else 1.0 for low, high in zip(lows, highs, strict=True)]
    means = [float(np.mean(gap)) / span if gap else 0.0 for gap, span in zip(gaps, spans, strict=True)]
    tops = [value / span for value, span in zip(largest, spans, strict=True)]
    part = None if post is None else (found / boxes if boxes else 1.0)
    return Loss(len(tensors), max(tops), max(means), None if post is None else boxes, part)


def found_again(wanted: Detections, got: Detections) -> int:
    """Return how many of ``wanted`` have a box of the same class at the same place in ``got``."""
    count = 0
    for box, kind in zip(wanted[0], wanted[2], strict=True):
        same = got[0][got[2] == kind]
        if not len(same):
            continue
        low, high = np.maximum(box[:2], same[:, :2]), np.minimum(box[2:], same[:, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        area = float(np.prod(box[2:] - box[:2]))
        union = area + np.prod(same[:, 2:] - same[:, :2], axis=1) - shared
        count += bool((shared / np.maximum(union, 1e-12) >= _FOUND_IOU).any())
    return count
