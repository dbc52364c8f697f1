"""Turns models of other frameworks into ONNX, on the developer's machine, and proves that the result computes the same.

Converters run in environments of their own with pinned versions (``toolchains``): torch, TensorFlow and MXNet are no
dependencies of Vedette. Results are kept by the content of model, descriptor and converter.
"""

from vedette.conversion.converting import Converted, Converter, DeclaredInput, Wanted
from vedette.conversion.errors import ConversionError, ConversionFailed, ProofFailed, ToolchainFailed, UnknownModel
from vedette.conversion.frameworks import Framework
from vedette.conversion.raw_model import RawModel, read_raw_model

__all__ = [
    "ConversionError",
    "ConversionFailed",
    "Converted",
    "Converter",
    "DeclaredInput",
    "Framework",
    "ProofFailed",
    "RawModel",
    "ToolchainFailed",
    "UnknownModel",
    "Wanted",
    "read_raw_model",
]
