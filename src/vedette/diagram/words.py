"""The words that tree, Mermaid and SVG share."""

import json
from typing import Final

from vedette.application import ParameterValue
from vedette.diagram.picture import Camera, CameraNode, LooseEnd, ModelNode, ParameterNode
from vedette.messages import Tensor

_LAUNCH: Final = {"onAppStart": "", "onSignal": "starts paused (onSignal)", "onDemand": "on demand (onDemand)"}
_MAX_VALUE: Final = 60


def value_words(value: ParameterValue | None) -> str:
    """Return a value as JSON writes it, cut; ``***`` for one that is not shown."""
    if value is None:
        return "***"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 3] + "..."


def parameter_words(parameter: ParameterNode) -> str:
    """Return type and value: ``float32 = 20.0``."""
    return f"{parameter.type} = {value_words(parameter.value)}"


def tensor_words(tensor: Tensor) -> str:
    """Return type and shape: ``float32 1x3x224x224``."""
    shape = "x".join(str(size) for size in tensor.shape or ())
    return " ".join(part for part in (tensor.dtype or "", shape) if part) or "any shape"


def camera_words(camera: Camera) -> str:
    """Return the address and how the camera starts."""
    login = "with login" if camera.login else ""
    address = camera.address or "address given at deployment"
    return ", ".join(part for part in (address, login, _LAUNCH[camera.launch]) if part)


def cameras_missing(node: CameraNode) -> str:
    """Return what is to be said where no camera is attached, else an empty text."""
    if node.cameras:
        return ""
    return "a camera must be given at deployment" if node.mandatory else "no camera"


def model_words(model: ModelNode) -> str:
    """Return the file, or that there is none."""
    return f"{model.file} ({model.format})" if model.file else "no file that can be used"


def loose_words(end: LooseEnd) -> str:
    """Return what is not connected, and what comes of it."""
    if end.kind == "input":
        return f"input {end.name}"
    return f"output {end.name}: put() does nothing" if end.kind == "output" else f"node {end.name}"
