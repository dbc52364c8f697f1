"""A really trained detector in every form: benchmarks/tested_models.py, whose table is in docs/ref/models.md."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vedette.conversion.toolchains import CONVERTERS

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "benchmarks" / "tested_models.py"
FORMS = (
    "net.pt",
    "net.pt2",
    "saved",
    "frozen.pb",
    "net.h5",
    "net.keras",
    "net.tflite",
    "net-symbol.json",
    "net.cfg",
)


def forms() -> dict[str, Any]:
    """What the program knows."""
    spec = importlib.util.spec_from_file_location("tested_models", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(PROGRAM.parent))
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PROGRAM.parent))
    known: dict[str, Any] = module.FORMS
    return known


@pytest.mark.skipif(
    os.environ.get("VEDETTE_TEST_CONVERTERS") != "1",
    reason="installs PyTorch, TensorFlow and MXNet: VEDETTE_TEST_CONVERTERS=1 asks for it",
)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", FORMS)
def test_a_trained_detector_finds_other_persons(form: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--form", form, "--json"], stdout=subprocess.PIPE, timeout=1700, check=True
    )
    (row,) = json.loads(done.stdout)["rows"]
    # It computes what its framework computes, and finds what the examples' own model finds.
    assert row["difference"] < 1e-3
    assert row["boxes"] >= 0.9 * row["boxes_of_original"]
    assert abs(row["persons"] - row["persons_of_original"]) <= 0.1 * row["persons_of_original"]


def test_the_list_of_tested_models_is_older_than_the_converters() -> None:
    # Every form, with the version that is installed for it: another one has to be tried and written down.
    page = (ROOT / "docs" / "ref" / "models.md").read_text()
    known = forms()
    assert tuple(known) == FORMS
    assert {toolchain.name for _, toolchain, _ in known.values()} == {chain.name for chain in CONVERTERS.values()}
    for words, toolchain, _ in known.values():
        version = toolchain.requirements[0].replace("==", " ").replace("tensorflow-cpu", "tensorflow")
        assert f"| {words} | {version} |" in page.replace("tensorflow-cpu", "tensorflow"), (words, version)
