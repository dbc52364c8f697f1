"""The converters' programs, importable by the tests' own Python where it has what they need."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[3] / "src" / "vedette" / "conversion" / "tools"


@pytest.fixture
def tools() -> Iterator[Any]:
    """Return a function that imports one of the programs as its own environment would."""
    sys.path.insert(0, str(TOOLS))

    def program(name: str) -> ModuleType:
        return import_module(name)

    yield program
    sys.path.remove(str(TOOLS))
    for name in ("toolkit", "convert_darknet", "finish_onnx"):
        sys.modules.pop(name, None)
