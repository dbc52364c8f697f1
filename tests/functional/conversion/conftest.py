"""Conversions without the frameworks: their programs are stood in for, everything behind them is real."""

import io
import json
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vedette.conversion import Converter
from vedette.conversion.environments import Progress
from vedette.conversion.errors import ConversionFailed
from vedette.conversion.tool import run_tool
from vedette.conversion.toolchains import ONNX, Toolchain
from vedette.projects import create_project, make_skeleton


def doubling_model(factor: float = 2.0) -> Any:
    """`input.1` (1, 3, 8, 8) -> (1, 192) times factor."""
    nodes = [
        helper.make_node("Reshape", ["input.1", "sizes"], ["flat"]),
        helper.make_node("Mul", ["flat", "factor"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 192])],
        [
            numpy_helper.from_array(np.array([1, 192], np.int64), "sizes"),
            numpy_helper.from_array(np.full(192, factor, np.float32), "factor"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


class Tools:
    """PyTorch's converter is stood in for; what is done to ONNX files is done, by the tests' own Python."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.written_factor = 2.0
        self.error: ConversionFailed | None = None

    def __call__(
        self, toolchain: Toolchain, request: Mapping[str, Any], work: Path, progress: Progress
    ) -> dict[str, Any]:
        self.runs.append(toolchain.name)
        if toolchain is ONNX:
            return run_tool(Path(sys.executable), toolchain, request, work, progress)
        if self.error is not None:
            raise self.error
        onnx.save(doubling_model(self.written_factor), request["output"])
        rng = np.random.default_rng(0)
        name = request["inputs"][0]["name"]
        arrays: dict[str, Any] = {}
        for number in range(8):
            x = rng.random((1, 3, 8, 8)).astype(np.float32)
            arrays[f"in/{number}/{name}"] = x
            arrays[f"out/{number}/0"] = x.reshape(1, 192) * np.float32(2)
        np.savez(request["reference"], **arrays)
        values = request["options"].get("values") if "options" in request else None
        if values:
            first = arrays[f"in/0/{name}"].reshape(1, 192)
            np.savez(values, **{"value/flat": first, "value/out": first * 2})
        return {"rename": {"input.1": name}}


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def converter(tmp_path: Path, tools: Tools) -> Converter:
    return Converter(tmp_path / "cache", tools)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "net.pth"
    path.write_bytes(b"TorchScript")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return a function that makes a project whose model is a TorchScript archive of assets/."""

    def make(content: bytes) -> Path:
        root = tmp_path / "app"
        create_project(root, make_skeleton("app", with_model=True))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo("net.pth")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        assets = root / "assets"
        assets.mkdir(exist_ok=True)
        (assets / "net.tar.gz").write_bytes(buffer.getvalue())
        (package,) = [p for p in (root / "packages").iterdir() if "mlModelDescriptor" in _descriptor(p)]
        document = json.loads((package / "package.json").read_text())
        interface = document["nodePackage"]["interfaces"][0]
        interface["asset"] = "model_asset"
        document["nodePackage"]["assets"] = [
            {"name": "model_asset", "implementations": [{"type": "model", "assetUri": "net.tar.gz"}]}
        ]
        (package / "package.json").write_text(json.dumps(document))
        descriptor = {
            "mlModelDescriptor": {
                "envelopeVersion": "2021-01-01",
                "framework": "PYTORCH",
                "frameworkVersion": "1.8",
                "inputs": [{"name": "data", "shape": [1, 3, 8, 8]}],
            }
        }
        (package / "descriptor.json").write_text(json.dumps(descriptor))
        for file in package.glob("*.onnx"):
            file.unlink()
        return root

    return make


def _descriptor(package: Path) -> str:
    path = package / "descriptor.json"
    return path.read_text() if path.exists() else ""
