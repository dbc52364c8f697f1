"""The forms in which models come, and how each is told by its files."""

from enum import Enum
from typing import Final


class Framework(str, Enum):
    """A form of a model; the value stands in documents."""

    ONNX = "onnx"
    TFLITE = "tflite"
    TORCHSCRIPT = "torchscript"
    TORCH_EXPORT = "torch-export"
    SAVED_MODEL = "tensorflow-saved-model"
    FROZEN_GRAPH = "tensorflow-frozen-graph"
    KERAS = "keras"
    MXNET = "mxnet"
    DARKNET = "darknet"


WORDS: Final[dict[Framework, str]] = {
    Framework.ONNX: "ONNX",
    Framework.TFLITE: "TFLite",
    Framework.TORCHSCRIPT: "TorchScript",
    Framework.TORCH_EXPORT: "PyTorch ExportedProgram",
    Framework.SAVED_MODEL: "TensorFlow SavedModel",
    Framework.FROZEN_GRAPH: "TensorFlow frozen graph",
    Framework.KERAS: "Keras",
    Framework.MXNET: "MXNet",
    Framework.DARKNET: "Darknet",
}
"""The forms as people call them."""

SUFFIXES: Final[dict[str, Framework]] = {
    ".onnx": Framework.ONNX,
    ".tflite": Framework.TFLITE,
    ".pt": Framework.TORCHSCRIPT,
    ".pth": Framework.TORCHSCRIPT,
    ".torchscript": Framework.TORCHSCRIPT,
    ".pt2": Framework.TORCH_EXPORT,
    ".pb": Framework.FROZEN_GRAPH,
    ".h5": Framework.KERAS,
    ".hdf5": Framework.KERAS,
    ".keras": Framework.KERAS,
    ".params": Framework.MXNET,
    ".weights": Framework.DARKNET,
}
"""Suffix of the file that names a model's form; ``saved_model.pb`` is a SavedModel."""
