"""OpenVINO's execution provider, in an environment of its own (90 MB): where VEDETTE_TEST_OPENVINO=1 asks for it."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from vedette.conversion.environments import environment, environment_python
from vedette.conversion.folders import cache_folder
from vedette.conversion.toolchains import Toolchain
from vedette.resources import examples_dir

ROOT = Path(__file__).parents[3]
OPENVINO = Toolchain(
    "openvino",
    "",
    ("onnxruntime-openvino==1.24.1", "numpy==2.4.6", "opencv-python-headless==5.0.0.93", "pydantic==2.14.3"),
    ">=3.11,<3.14",
    90,
)

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("VEDETTE_TEST_OPENVINO") != "1",
        reason="installs onnxruntime-openvino: VEDETTE_TEST_OPENVINO=1 asks for it",
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def python() -> Path:
    return environment_python(OPENVINO, cache_folder(), lambda _: None)


@pytest.fixture(scope="module")
def nanodet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nanodet")
    (archive,) = (examples_dir() / "people-counter" / "assets").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        (member,) = [m for m in tar if m.name.endswith(".onnx")]
        stream = tar.extractfile(member)
        assert stream is not None
        (folder / "nanodet.onnx").write_bytes(stream.read())
    return folder / "nanodet.onnx"


def opened(python: Path, model: Path, providers: str, *first: Path) -> dict[str, Any]:
    """Return what openvino_session.py says; ``first`` are folders to look for packages in before any other."""
    folders = [*first, ROOT / "src", ROOT / "components" / "model_inference"]
    program = Path(__file__).with_name("openvino_session.py")
    done = subprocess.run(
        [str(python), str(program), str(model), providers],
        env=environment({"PYTHONPATH": os.pathsep.join(map(str, folders))}),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("providers", ["auto", "OpenVINOExecutionProvider"])
def test_openvino_is_there_and_is_not_used_or_computes_something_else(
    python: Path, nanodet: Path, providers: str
) -> None:
    found = opened(python, nanodet, providers)
    assert found["provider"] == "OpenVINO"
    # Quantised layers round elsewhere; of a float model the largest difference is 5e-06.
    assert found["mean"] < 0.02
    assert found["said"] == []


def test_a_provider_whose_library_does_not_load_keeps_the_model_from_being_served(
    python: Path, nanodet: Path, tmp_path: Path
) -> None:
    # GIVEN an ONNX Runtime that was built with OpenVINO, whose library is gone
    (package,) = python.parents[1].glob("lib/python*/site-packages/onnxruntime")
    shutil.copytree(package, tmp_path / "onnxruntime", copy_function=os.symlink)
    (tmp_path / "onnxruntime" / "capi" / "libonnxruntime_providers_openvino.so").unlink()
    # WHEN whatever works may be used THEN the CPU runs it
    found = opened(python, nanodet, "auto", tmp_path)
    assert (found["provider"], found["mean"]) == ("CPU", 0.0)
    # AND where it was asked for by name, that is said
    named = opened(python, nanodet, "OpenVINOExecutionProvider", tmp_path)
    assert named["provider"] == "CPU"
    assert any("OpenVINOExecutionProvider" in line for line in named["said"])
