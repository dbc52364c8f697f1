"""``preprocess.json`` beside a model's descriptor: how a frame becomes its input, and what its outputs mean.

Every value has the meaning that training code gives it: ``value = (pixel * scale - mean) / std`` with pixels of 0..255,
in the order of ``colorOrder``.
"""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

Channels = Annotated[tuple[float, float, float], Field(description="one number a channel, in the order of colorOrder")]


class SpecificationError(ValueError):
    """``preprocess.json`` cannot be used; the text names the fields."""


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)


class Normalization(_Block):
    """AWS's block of that name: where pixels of 0..255 end.

    ``minmax``: 0 becomes rangeMin, 255 rangeMax. ``mean``: the picture's own mean becomes 0, and 255 steps are as far
    apart as rangeMin and rangeMax.
    """

    type: Literal["minmax", "mean"]
    range_min: float
    range_max: float

    @model_validator(mode="after")
    def _ordered(self) -> "Normalization":
        if self.range_min >= self.range_max:
            raise ValueError("rangeMin must be below rangeMax")
        return self


class InputTensor(_Block):
    """AWS's block of that name: the input that a frame goes to."""

    name: str
    type: str | None = None
    shape: tuple[int, ...]


class Preprocess(_Block):
    """How a frame becomes a model's input."""

    input: str | None = Field(None, description="name of the input; the only one where it has one")
    input_tensor: InputTensor | None = Field(None, description="AWS's form of the same: name and shape")
    resize: Literal["stretch", "letterbox", "crop"] = Field(
        "stretch",
        description="stretch: to the input's size, whatever the shape; letterbox: whole picture, with a border; "
        "crop: the middle, as much as fits",
    )
    border: int = Field(114, ge=0, le=255, description="grey of letterbox's border")
    color_order: Literal["RGB", "BGR", "GRAY"] = "RGB"
    layout: Literal["NCHW", "NHWC"] | None = Field(None, description="told by the input's shape where it is not given")
    scale: float = Field(1.0, description="factor before mean and std: 0.00392156862745098 for 1/255")
    mean: Channels | float = 0.0
    std: Channels | float = 1.0
    normalization: Normalization | None = Field(None, description="AWS's form, in place of scale, mean and std")

    @model_validator(mode="after")
    def _one_form(self) -> "Preprocess":
        if self.normalization is not None and self.model_fields_set & {"scale", "mean", "std"}:
            raise ValueError("normalization stands in place of scale, mean and std: give one of the two")
        std = self.std if isinstance(self.std, tuple) else (self.std,)
        if any(value == 0 for value in std):
            raise ValueError("std must not be 0")
        if self.input and self.input_tensor and self.input != self.input_tensor.name:
            raise ValueError("input and inputTensor name different inputs")
        return self

    @property
    def input_name(self) -> str | None:
        """The input's name, or None for the only one."""
        return self.input_tensor.name if self.input_tensor is not None else self.input


Output = Annotated[int | str, Field(description="an output: its number from 0, or its name")]


class Postprocess(_Block):
    """What a detector's outputs mean. A frame call then returns boxes, scores and classes."""

    type: Literal["ssd", "ssd-nms", "yolo", "yolo-nms", "nanodet"] = Field(
        description="ssd: boxes (1, N, 4) and scores (1, N, classes); ssd-nms: boxes, scores and classes of what is "
        "left after suppression; yolo: (1, N, 5 + classes), or (1, 4 + classes, N) with objectness false; yolo-nms: "
        "(1, N, 6) of x1, y1, x2, y2, score, class; nanodet: class scores, then side distributions of each stride"
    )
    boxes: Output = 0
    scores: Output = 1
    classes: Output = Field(2, description="of ssd-nms")
    box_format: Literal["xyxy", "yxyx", "cxcywh", "xywh"] | None = Field(
        None, description="default: yxyx of ssd, xyxy of what ends in -nms, cxcywh of yolo"
    )
    box_unit: Literal["relative", "pixels"] | None = Field(
        None, description="of the input: 0..1 or pixels; default: relative of ssd, pixels of the others"
    )
    activation: Literal["none", "sigmoid", "softmax"] = Field("none", description="what scores still need")
    objectness: bool = Field(True, description="of yolo: a fifth number says whether there is anything")
    background: bool = Field(False, description="class 0 is nothing and is left out; others move down by 1")
    strides: tuple[int, ...] = Field((8, 16, 32), description="of nanodet")
    score_threshold: float = Field(0.25, ge=0, le=1)
    iou_threshold: float = Field(0.45, gt=0, le=1)
    max_detections: int = Field(100, ge=1, le=1000)


class FrameDocument(_Block):
    """``preprocess.json``."""

    preprocess: Preprocess
    postprocess: Postprocess | None = None


def read_frame_document(text: str | bytes) -> FrameDocument:
    """Read ``preprocess.json``.

    :raises SpecificationError: naming each field that is wrong
    """
    try:
        return FrameDocument.model_validate(json.loads(text))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'document'}: {item['msg']}" for item in error.errors()[:6]
        )
        raise SpecificationError(faults) from error
    except (ValueError, RecursionError) as error:
        raise SpecificationError(f"it is no JSON: {error}") from error
