"""Frames as a model's input, and boxes as its outputs, for models with a preprocess.json."""

import json
from collections.abc import Sequence

import cv2
import numpy as np

from vedette.messages import ModelDemand
from vedette.pictures import SpecificationError, read_frame_document
from vedette.pictures.boxes import detections
from vedette.pictures.geometry import Placement
from vedette.pictures.tensors import BGR, I420, TensorMaker
from vedette.rings import BGR24
from vedette.rings.calls import FrameView
from vedette_model_inference.errors import LoadError
from vedette_model_inference.session import Array, Session, known_shape

# The server's threads are the engine's: what is done to a frame is a millisecond's work.
cv2.setNumThreads(1)


class FramePath:
    """Makes one model's input of frames. One thread at a time.

    :raises LoadError: when the model's input or outputs are not what the document says
    """

    def __init__(self, demand: ModelDemand, session: Session) -> None:
        try:
            document = read_frame_document(json.dumps(demand.frames))
            spec = document.preprocess
            chosen = [item for item in session.inputs if spec.input_name in (None, item.name)]
            if len(session.inputs) == len(demand.inputs) == 1 and spec.input_name == demand.inputs[0].name:
                # The name by which applications know the only input.
                chosen = list(session.inputs)
            if len(chosen) != 1 or len(session.inputs) != 1:
                names = ", ".join(item.name for item in session.inputs)
                raise SpecificationError(f"a frame needs a model with one input, this one has {names}")
            self._input = chosen[0]
            shape = known_shape(self._input, demand.inputs, 1, 1)
            if spec.input_tensor is not None and len(spec.input_tensor.shape) == len(shape):
                free = [not isinstance(size, int) or size < 0 for size in self._input.shape]
                shape = tuple(
                    given if is_free else own
                    for own, given, is_free in zip(shape, spec.input_tensor.shape, free, strict=True)
                )
            self._maker = TensorMaker(spec, shape, self._input.dtype)
        except SpecificationError as error:
            raise LoadError(f"preprocess.json does not fit the model: {error}") from error
        self._post = document.postprocess

    @property
    def gives_boxes(self) -> bool:
        """Whether outputs are boxes."""
        return self._post is not None

    def inputs(self, frame: FrameView) -> tuple[dict[str, Array], Placement]:
        """Return the model's input, and where the frame lies in it."""
        tensor = np.empty(self._maker.shape, self._maker.dtype)
        pixels = np.frombuffer(frame.buffer, np.uint8)
        kind = BGR if frame.pixel_format == BGR24 else I420
        placement = self._maker.fill(pixels, frame.width, frame.height, kind, tensor)
        return {self._input.name: tensor}, placement

    def boxes(self, names: Sequence[str], outputs: Sequence[Array], placement: Placement) -> Sequence[Array]:
        """Return boxes, scores and classes.

        :raises SpecificationError: when the outputs are not what the document says
        """
        if self._post is None:
            return outputs
        return detections(self._post, names, outputs, placement)
