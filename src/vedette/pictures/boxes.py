"""A detector's outputs to boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vedette.pictures.geometry import Placement
from vedette.pictures.specification import Output, Postprocess, SpecificationError

Array = npt.NDArray[Any]
Detections = tuple[Array, Array, Array]
"""boxes (n, 4) float32: left, top, right, bottom in 0..1 of the frame; scores (n,) float32; classes (n,) int32. The
best first."""

_BEFORE_SUPPRESSION = 1000


def detections(spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Detections:
    """Return what the model saw.

    :param outputs: in the model's order, of one picture
    :raises SpecificationError: when the outputs are not of the kind the block describes
    """
    decode = {
        "ssd": _ssd,
        "ssd-nms": _suppressed,
        "yolo": _yolo,
        "yolo-nms": _yolo_suppressed,
        "nanodet": _nanodet,
    }[spec.type]
    boxes, scores, classes = decode(spec, names, outputs, placement)
    chosen = np.flatnonzero(scores >= spec.score_threshold)
    if len(chosen) > _BEFORE_SUPPRESSION:
        chosen = chosen[np.argpartition(-scores[chosen], _BEFORE_SUPPRESSION)[:_BEFORE_SUPPRESSION]]
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    boxes, scores, classes = boxes[chosen], scores[chosen], classes[chosen]
    if not spec.type.endswith("-nms"):
        kept = suppress(boxes, scores, classes, spec.iou_threshold)
        boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
    limit = spec.max_detections
    return _in_frame(boxes[:limit], placement), scores[:limit].astype(np.float32), classes[:limit].astype(np.int32)


def suppress(boxes: Array, scores: Array, classes: Array, overlap: float) -> Array:
    """Return the places of the boxes that no better one of their class covers; best first. Input is sorted so."""
    if not len(scores):
        return np.empty(0, np.int64)
    # Classes are moved apart, so that one pass does for all of them.
    reach = float(boxes.max() - boxes.min()) + 1.0
    moved = boxes + (classes * reach)[:, None]
    areas = np.maximum(moved[:, 2] - moved[:, 0], 0) * np.maximum(moved[:, 3] - moved[:, 1], 0)
    left = np.arange(len(scores))
    kept = []
    while len(left):
        best, others = left[0], left[1:]
        kept.append(best)
        low = np.maximum(moved[best, :2], moved[others, :2])
        high = np.minimum(moved[best, 2:], moved[others, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        union = areas[best] + areas[others] - shared
        left = others[shared <= overlap * np.maximum(union, 1e-12)]
    return np.array(kept)


def _in_frame(boxes: Array, placement: Placement) -> Array:
    """Return boxes of the input (0..1) as boxes of the frame (0..1)."""
    (scale_x, scale_y), (offset_x, offset_y) = placement.factors
    scale = np.array([scale_x, scale_y, scale_x, scale_y])
    offset = np.array([offset_x, offset_y, offset_x, offset_y])
    return np.asarray(np.clip(boxes * scale + offset, 0, 1), np.float32)


def _relative(boxes: Array, spec: Postprocess, placement: Placement, form: str, unit: str) -> Array:
    """Return boxes as left, top, right, bottom in 0..1 of the input."""
    form = spec.box_format or form
    values = boxes.astype(np.float64)
    if form == "yxyx":
        values = values[:, [1, 0, 3, 2]]
    elif form == "cxcywh":
        values = np.concatenate([values[:, :2] - values[:, 2:] / 2, values[:, :2] + values[:, 2:] / 2], 1)
    elif form == "xywh":
        values = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], 1)
    if (spec.box_unit or unit) == "pixels":
        values = values / ([placement.input_width, placement.input_height] * 2)
    return values


def _ssd(spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Detections:
    boxes = _rows(_output(spec.boxes, names, outputs), 4, "boxes")
    scores = _activated(_rows(_output(spec.scores, names, outputs), None, "scores"), spec)
    if len(boxes) != len(scores):
        raise SpecificationError(f"{len(boxes)} boxes and {len(scores)} scores: expected as many")
    best, classes = _best(scores, spec)
    return _relative(boxes, spec, placement, "yxyx", "relative"), best, classes


def _suppressed(spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Detections:
    boxes = _rows(_output(spec.boxes, names, outputs), 4, "boxes")
    scores = _output(spec.scores, names, outputs).reshape(-1)
    classes = _output(spec.classes, names, outputs).reshape(-1)
    if not len(boxes) == len(scores) == len(classes):
        raise SpecificationError(f"{len(boxes)} boxes, {len(scores)} scores, {len(classes)} classes: expected as many")
    numbers = np.where(np.isfinite(classes), classes, -1).astype(np.int64) - int(spec.background)
    # Places that were not needed hold -1.
    good = np.where(numbers >= 0, scores, 0.0)
    return _relative(boxes, spec, placement, "xyxy", "relative"), good, numbers


def _yolo(spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Detections:
    values = _output(spec.boxes, names, outputs)
    if values.ndim != 3 or values.shape[0] != 1:
        raise SpecificationError(f"yolo expects an output of (1, N, 5 + classes), got {list(values.shape)}")
    # Of the two, places are more than numbers of a place.
    rows = values[0].T if values.shape[1] < values.shape[2] else values[0]
    first = 5 if spec.objectness else 4
    if rows.shape[1] <= first:
        raise SpecificationError(f"yolo expects over {first} numbers a place, got {rows.shape[1]}")
    scores = _activated(rows[:, first:], spec)
    best, classes = _best(scores, spec)
    if spec.objectness:
        best = best * _activated(rows[:, 4:5], spec)[:, 0]
    return _relative(rows[:, :4], spec, placement, "cxcywh", "pixels"), best, classes


def _yolo_suppressed(
    spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement
) -> Detections:
    rows = _rows(_output(spec.boxes, names, outputs), 6, "boxes")
    return _relative(rows[:, :4], spec, placement, "xyxy", "pixels"), rows[:, 4], rows[:, 5].astype(np.int64)


def _nanodet(spec: Postprocess, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Detections:
    del names
    levels = len(spec.strides)
    if len(outputs) != 2 * levels:
        raise SpecificationError(f"nanodet expects {2 * levels} outputs for {levels} strides, got {len(outputs)}")
    boxes, scores = [], []
    for stride, classes, sides in zip(spec.strides, outputs[:levels], outputs[levels:], strict=True):
        level = _activated(_rows(classes, None, "scores"), spec)
        found = np.flatnonzero(level.max(1) >= spec.score_threshold)
        columns = -(-placement.input_width // stride)
        centers = (np.stack([found % columns, found // columns], 1) + 0.5) * stride
        rows = _rows(sides, None, "sides")
        distances = rows[found].reshape(len(found), 4, rows.shape[1] // 4)
        weights = np.exp(distances - distances.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        reach = (weights @ np.arange(distances.shape[2])) * stride
        boxes.append(np.concatenate([centers - reach[:, :2], centers + reach[:, 2:]], 1))
        scores.append(level[found])
    best, numbers = _best(np.concatenate(scores), spec)
    return _relative(np.concatenate(boxes), spec, placement, "xyxy", "pixels"), best, numbers


def _output(which: Output, names: Sequence[str], outputs: Sequence[Array]) -> Array:
    if isinstance(which, str):
        if which not in names:
            raise SpecificationError(f"the model has no output {which!r}: it has {', '.join(names)}")
        return outputs[list(names).index(which)]
    if not 0 <= which < len(outputs):
        raise SpecificationError(f"the model has {len(outputs)} outputs, number {which} is not one of them")
    return outputs[which]


def _rows(output: Array, width: int | None, what: str) -> Array:
    size = output.shape[-1] if output.ndim else 0
    if output.ndim < 2 or (width is not None and size != width) or int(np.prod(output.shape[:-2])) != 1:
        expected = "(1, N, classes)" if width is None else f"(1, N, {width})"
        raise SpecificationError(f"{what}: expected an output of {expected}, got {list(output.shape)}")
    return output.reshape(-1, size)


def _activated(values: Array, spec: Postprocess) -> Array:
    numbers = values.astype(np.float32)
    if spec.activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(numbers, -60, 60))))
    if spec.activation == "softmax" and numbers.shape[1] > 1:
        powers = np.exp(numbers - numbers.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))
    return numbers


def _best(scores: Array, spec: Postprocess) -> tuple[Array, Array]:
    usable = scores[:, 1:] if spec.background else scores
    if not usable.shape[1]:
        raise SpecificationError("there is no class beside the background")
    classes = usable.argmax(1)
    return usable[np.arange(len(usable)), classes], classes
