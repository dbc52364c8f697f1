"""Which engine runs which format. Engines are imported when first needed: ONNX Runtime alone is 20 MB."""

from pathlib import Path

from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError
from vedette_model_inference.session import Session


def open_session(path: Path, model_format: str, configuration: Configuration) -> Session:
    """Return the loaded model.

    :raises LoadError: when no engine takes it.
    """
    if model_format == "onnx":
        from vedette_model_inference.onnx_session import OnnxSession

        return OnnxSession(path, configuration)
    if model_format == "tflite":
        from vedette_model_inference.litert_session import LiteRtSession

        return LiteRtSession(path, configuration)
    raise LoadError(f"the format {model_format!r} is unknown, expected onnx or tflite")


def engine_version(model_format: str) -> str:
    """Return engine and version: a verdict on a file holds for one of them only."""
    from importlib.metadata import PackageNotFoundError, version

    package = {"onnx": "onnxruntime", "tflite": "ai-edge-litert"}.get(model_format, model_format)
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
