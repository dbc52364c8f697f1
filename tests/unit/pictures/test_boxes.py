"""What detectors' heads give, as boxes in the frame."""

from typing import Any

import numpy as np
import pytest

from vedette.pictures import Postprocess, SpecificationError
from vedette.pictures.boxes import detections, suppress
from vedette.pictures.geometry import place

STRETCHED = place((1920, 1080), (100, 100), "stretch")
BOX = (0.2, 0.3, 0.4, 0.6)  # left, top, right, bottom


def cxcywh(scale: float = 1.0) -> list[float]:
    left, top, right, bottom = BOX
    return [scale * v for v in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)]


def ssd(**extra: Any) -> tuple[Postprocess, list[np.ndarray]]:
    left, top, right, bottom = BOX
    boxes = np.array([[[0, 0, 0.1, 0.1], [top, left, bottom, right], [top + 0.01, left, bottom, right]]], np.float32)
    scores = np.array([[[0.1, 0.1], [0.0, 0.9], [0.0, 0.8]]], np.float32)
    return Postprocess(type="ssd", **extra), [boxes, scores]


def suppressed() -> tuple[Postprocess, list[np.ndarray]]:
    # GluonCV: class, score, box in pixels; what was not needed is -1.
    boxes = np.array([[[v * 100 for v in BOX], [-1, -1, -1, -1]]], np.float32)
    classes, scores = np.array([[[1], [-1]]], np.float32), np.array([[[0.9], [-1]]], np.float32)
    spec = Postprocess(type="ssd-nms", boxes=2, scores=1, classes=0, box_unit="pixels")
    return spec, [classes, scores, boxes]


def yolo5() -> tuple[Postprocess, list[np.ndarray]]:
    rows = np.zeros((1, 40, 7), np.float32)
    rows[0, 3] = [*cxcywh(100), 0.95, 0.1, 0.947]
    rows[0, 4] = [*cxcywh(100), 0.8, 0.1, 0.9]
    rows[0, 5] = [*cxcywh(100), 0.1, 0.0, 1.0]
    return Postprocess(type="yolo"), [rows]


def yolo8() -> tuple[Postprocess, list[np.ndarray]]:
    rows = np.zeros((1, 40, 6), np.float32)
    rows[0, 3] = [*cxcywh(100), 0.1, 0.9]
    return Postprocess(type="yolo", objectness=False), [rows.transpose(0, 2, 1)]


def yolo10() -> tuple[Postprocess, list[np.ndarray]]:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [*(v * 100 for v in BOX), 0.9, 1]
    return Postprocess(type="yolo-nms"), [rows]


def nanodet() -> tuple[Postprocess, list[np.ndarray]]:
    # One stride of 10: cell (3, 4) has its centre at (35, 45); sides as certain distributions over 0..10 strides.
    classes, sides = np.zeros((1, 100, 2), np.float32), np.full((1, 100, 44), -20, np.float32)
    classes[0, 43, 1] = 0.9
    reach = sides[0, 43].reshape(4, 11)
    for side, (low, share) in enumerate([(1, 0.5), (1, 0.5), (0, 0.5), (1, 0.5)]):
        reach[side, low], reach[side, low + 1] = np.log(1 - share), np.log(share)
    return Postprocess(type="nanodet", strides=(10,)), [classes, sides]


@pytest.mark.parametrize("make", [ssd, suppressed, yolo5, yolo8, yolo10, nanodet], ids=lambda make: make.__name__)
def test_a_head_gives_other_boxes(make: Any) -> None:
    spec, outputs = make()
    boxes, scores, classes = detections(spec, [f"o{n}" for n in range(len(outputs))], outputs, STRETCHED)
    assert len(scores) == 1, scores
    np.testing.assert_allclose(boxes[0], BOX, atol=1e-4)
    assert scores[0] == pytest.approx(0.9, abs=1e-3)
    assert classes[0] == 1
    assert [str(value.dtype) for value in (boxes, scores, classes)] == ["float32", "float32", "int32"]


@pytest.mark.parametrize("make", [ssd, suppressed, yolo5, yolo8, yolo10, nanodet], ids=lambda make: make.__name__)
def test_a_picture_of_nothing_is_an_error(make: Any) -> None:
    spec, outputs = make()
    empty = [np.full_like(output, -1) if spec.type == "ssd-nms" else np.zeros_like(output) for output in outputs]
    boxes, scores, classes = detections(spec, [f"o{n}" for n in range(len(outputs))], empty, STRETCHED)
    assert (boxes.shape, scores.shape, classes.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("how", ["letterbox", "crop"])
@pytest.mark.parametrize("frame", [(1920, 1080), (1080, 1920)])
def test_boxes_are_of_the_input_and_not_of_the_frame(how: Any, frame: tuple[int, int]) -> None:
    placement = place(frame, (100, 100), how)
    (scale_x, scale_y), (offset_x, offset_y) = placement.factors
    # The middle stays the middle; the input's corners are beyond the frame (letterbox) or inside of it (crop).
    assert (0.5 * scale_x + offset_x, 0.5 * scale_y + offset_y) == pytest.approx((0.5, 0.5), abs=0.01)
    long = scale_x if frame[0] < frame[1] else scale_y
    short = scale_y if frame[0] < frame[1] else scale_x
    assert (long, short) == pytest.approx((1.78, 1.0) if how == "letterbox" else (1.0, 0.5625), abs=0.02)
    spec, outputs = ssd()
    boxes, _, _ = detections(spec, ["b", "s"], outputs, placement)
    assert ((boxes >= 0) & (boxes <= 1)).all()


def test_boxes_that_cover_one_another_stay_or_other_classes_go() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float64)
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert suppress(boxes, scores, np.array([0, 0, 1, 0]), 0.5).tolist() == [0, 2, 3]
    assert suppress(np.empty((0, 4)), np.empty(0), np.empty(0), 0.5).tolist() == []


def test_the_background_is_a_class() -> None:
    spec, outputs = ssd(background=True)
    outputs[1] = np.concatenate([np.full((1, 3, 1), 0.99, np.float32), outputs[1]], 2)
    _, scores, classes = detections(spec, ["b", "s"], outputs, STRETCHED)
    assert classes.tolist() == [1]
    assert scores[0] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("spec", "outputs", "said"),
    [
        (Postprocess(type="ssd", boxes=5), ssd()[1], "has 2 outputs, number 5"),
        (Postprocess(type="ssd", boxes="bbox"), ssd()[1], "no output 'bbox': it has b, s"),
        (Postprocess(type="ssd", boxes=1, scores=0), ssd()[1], r"boxes: expected an output of \(1, N, 4\)"),
        (Postprocess(type="yolo"), [np.zeros((1, 4))], "yolo expects an output of"),
        (Postprocess(type="nanodet"), [np.zeros((1, 4, 2))], "expects 6 outputs for 3 strides, got 1"),
    ],
)
def test_outputs_of_another_kind_give_a_traceback(spec: Postprocess, outputs: Any, said: str) -> None:
    with pytest.raises(SpecificationError, match=said):
        detections(spec, ["b", "s"][: len(outputs)], outputs, STRETCHED)
