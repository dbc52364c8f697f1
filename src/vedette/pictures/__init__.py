"""Pictures to tensors and a detector's tensors to boxes, as a block beside the model's descriptor says.

The model server does it for applications that hand it a frame; ``vedette model`` does it for calibration. numpy and
OpenCV only where something is computed; the specification alone imports neither.
"""

from vedette.pictures.specification import (
    FrameDocument,
    Normalization,
    Postprocess,
    Preprocess,
    SpecificationError,
    read_frame_document,
)

__all__ = [
    "FrameDocument",
    "Normalization",
    "Postprocess",
    "Preprocess",
    "SpecificationError",
    "read_frame_document",
]
