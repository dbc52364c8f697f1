"""The converters and the exact versions they were tested with. None of them is ever Vedette's own dependency."""

import platform
from dataclasses import dataclass
from typing import Final

from vedette.conversion.frameworks import Framework


@dataclass(frozen=True)
class Toolchain:
    """An environment of its own and the program that runs in it."""

    name: str
    script: str
    """File in ``tools/``."""
    requirements: tuple[str, ...]
    python: str
    """Pythons that all of the requirements have wheels for."""
    megabytes: int
    """About what is downloaded the first time."""
    torch: bool = False
    """Has torch in it, which comes from an index of its own without CUDA's libraries."""


_ONNX: Final = ("onnx==1.23.2", "numpy==2.4.6")
_TENSORFLOW: Final = "tensorflow-cpu" if platform.machine() == "x86_64" else "tensorflow"

TORCH: Final = Toolchain(
    "torch", "convert_torch.py", ("torch==2.13.0", "onnxscript==0.7.2", *_ONNX), ">=3.11,<3.14", 260, torch=True
)
TENSORFLOW: Final = Toolchain(
    "tensorflow",
    "convert_tensorflow.py",
    (f"{_TENSORFLOW}==2.21.0", "tf2onnx==1.17.0", "protobuf==7.36.2", *_ONNX),
    ">=3.11,<3.14",
    330,
)
MXNET: Final = Toolchain(
    "mxnet", "convert_mxnet.py", ("mxnet==1.9.1", "numpy==1.23.5", "onnx==1.17.0"), ">=3.9,<3.12", 80
)
DARKNET: Final = Toolchain(
    "darknet", "convert_darknet.py", ("opencv-python-headless==4.14.0.94", *_ONNX), ">=3.11,<3.14", 90
)
ONNX: Final = Toolchain("onnx", "finish_onnx.py", (*_ONNX, "onnxruntime==1.32.0"), ">=3.11,<3.14", 60)
"""For what is done to ONNX files: inputs' names, free batch dimension, FP16, int8."""

CONVERTERS: Final[dict[Framework, Toolchain]] = {
    Framework.TORCHSCRIPT: TORCH,
    Framework.TORCH_EXPORT: TORCH,
    Framework.SAVED_MODEL: TENSORFLOW,
    Framework.FROZEN_GRAPH: TENSORFLOW,
    Framework.KERAS: TENSORFLOW,
    Framework.TFLITE: TENSORFLOW,
    Framework.MXNET: MXNET,
    Framework.DARKNET: DARKNET,
}
