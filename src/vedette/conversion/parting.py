"""Which operator a model differs from its original at, where that can be told: the first hint at what went wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedette.conversion.errors import ConversionError
from vedette.conversion.tool import RunTool
from vedette.conversion.toolchains import ONNX


def parting_words(
    tool: RunTool, model: Path, work: Path, options: Mapping[str, Any], *, limit: float, mean: bool = False
) -> str:
    """Return where ``model`` begins to differ by more than ``limit``, as the end of a sentence; empty where not known.

    :param options: ``original``, an ONNX file, or ``values``, an .npz of what flows inside of the original; and
        ``sample``, an .npz with the input ``in/0/<name>``
    :param limit: part of a value's range: of its largest difference, or with ``mean`` of the mean one
    """
    request = {
        "framework": "onnx",
        "main": str(model.absolute()),
        "output": "",
        "reference": "",
        "options": {"step": "locate", "limit": limit, "mean": mean, **options},
    }
    try:
        found = tool(ONNX, request, work, lambda _: None)
    except ConversionError:
        # Only a hint: what the comparison found is said without it.
        return ""
    if "operator" not in found:
        return ""
    return (
        f"; it begins at {found['operator']} `{found['node']}` ({_part(found['before'])} of the range before it, "
        f"{_part(found['after'])} after it)"
    )


def _part(value: float) -> str:
    return f"{value:.1e}" if value < 0.001 else f"{value:.1%}"
