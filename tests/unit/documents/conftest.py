"""A small project in Panorama's own format, to be broken in every way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GRAPH = "graphs/my-app/graph.json"
OVERRIDE = "graphs/my-app/override.json"
CODE = "packages/123456789012-SAMPLE_CODE-1.0/package.json"
CODE_DESCRIPTOR = "packages/123456789012-SAMPLE_CODE-1.0/descriptor.json"
MODEL = "packages/123456789012-SQUEEZENET_PYTORCH-1.0/package.json"
MODEL_DESCRIPTOR = "packages/123456789012-SQUEEZENET_PYTORCH-1.0/descriptor.json"

DOCUMENTS: dict[str, dict[str, Any]] = {
    GRAPH: {
        "nodeGraph": {
            "envelopeVersion": "2021-01-01",
            "packages": [
                {"name": "123456789012::SAMPLE_CODE", "version": "1.0"},
                {"name": "123456789012::SQUEEZENET_PYTORCH", "version": "1.0"},
                {"name": "panorama::abstract_rtsp_media_source", "version": "1.0"},
                {"name": "panorama::hdmi_data_sink", "version": "1.0"},
            ],
            "nodes": [
                {"name": "code_node", "interface": "123456789012::SAMPLE_CODE.interface"},
                {"name": "model_node", "interface": "123456789012::SQUEEZENET_PYTORCH.interface"},
                {
                    "name": "camera_node",
                    "interface": "panorama::abstract_rtsp_media_source.rtsp_v1_interface",
                    "overridable": True,
                    "overrideMandatory": True,
                    "decorator": {"title": "IP camera", "description": "Choose a camera stream."},
                },
                {"name": "output_node", "interface": "panorama::hdmi_data_sink.hdmi0"},
                {
                    "name": "detection_threshold",
                    "interface": "float32",
                    "value": 20,
                    "overridable": True,
                    "decorator": {"title": "Threshold", "constraintRegex": "^[0-9.]+$", "constraintText": "0 to 100"},
                },
                {"name": "log_level", "interface": "string", "value": "INFO", "overridable": True},
                {"name": "frames", "interface": "int32", "overridable": False},
                {"name": "verbose", "interface": "boolean"},
            ],
            "edges": [
                {"producer": "camera_node.video_out", "consumer": "code_node.video_in"},
                {"producer": "code_node.video_out", "consumer": "output_node.video_in"},
                {"producer": "detection_threshold", "consumer": "code_node.threshold"},
                {"producer": "log_level", "consumer": "code_node.log_level"},
                {"producer": "frames", "consumer": "code_node.frames"},
                {"producer": "verbose", "consumer": "code_node.verbose"},
            ],
            "networkRoutingRules": [{"node": "code_node", "containerPort": 80, "hostPort": 8080}],
        }
    },
    OVERRIDE: {
        "nodeGraphOverrides": {
            "nodes": [
                {"name": "CAMERA_A", "interface": "123456789012::CAMERA_A.CAMERA_A", "launch": "onAppStart"},
                {"name": "CAMERA_B", "interface": "123456789012::CAMERA_B.CAMERA_B", "launch": "onSignal"},
                {"name": "log_level_override", "interface": "string", "value": "DEBUG"},
            ],
            "packages": [
                {"name": "123456789012::CAMERA_A", "version": "1.0"},
                {"name": "123456789012::CAMERA_B", "version": "1.0"},
            ],
            "nodeOverrides": [
                {"replace": "log_level", "with": [{"name": "log_level_override"}]},
                {"replace": "camera_node", "with": [{"name": "CAMERA_A"}, {"name": "CAMERA_B"}]},
            ],
            "envelopeVersion": "2021-01-01",
        }
    },
    CODE: {
        "nodePackage": {
            "envelopeVersion": "2021-01-01",
            "name": "SAMPLE_CODE",
            "version": "1.0",
            "description": "Computer vision application code.",
            "assets": [],
            "interfaces": [
                {
                    "name": "interface",
                    "category": "business_logic",
                    "asset": "code_asset",
                    "inputs": [
                        {"name": "video_in", "type": "media"},
                        {"name": "threshold", "type": "float32"},
                        {"name": "log_level", "type": "string"},
                        {"name": "frames", "type": "int32"},
                        {"name": "verbose", "type": "boolean"},
                        {"name": "unconnected", "type": "int32", "default": 7},
                    ],
                    "outputs": [
                        {"description": "Video stream output", "name": "video_out", "type": "media"},
                        {"name": "second_out", "type": "media"},
                    ],
                    "network": {"inboundPorts": [{"port": 80, "description": "http"}]},
                }
            ],
        }
    },
    CODE_DESCRIPTOR: {
        "runtimeDescriptor": {
            "envelopeVersion": "2021-01-01",
            "entry": {"path": "python3", "name": "/panorama/application.py"},
        }
    },
    MODEL: {
        "nodePackage": {
            "envelopeVersion": "2021-01-01",
            "name": "SQUEEZENET_PYTORCH",
            "version": "1.0",
            "assets": [
                {
                    "name": "model_asset",
                    "implementations": [
                        {"type": "model", "assetUri": f"{'0' * 64}.tar.gz", "descriptorUri": f"{'0' * 64}.json"}
                    ],
                }
            ],
            "interfaces": [
                {
                    "name": "interface",
                    "category": "ml_model",
                    "asset": "model_asset",
                    "inputs": [{"name": "video_in", "type": "media"}],
                    "outputs": [{"name": "video_out", "type": "media"}],
                }
            ],
        }
    },
    MODEL_DESCRIPTOR: {
        "mlModelDescriptor": {
            "envelopeVersion": "2021-01-01",
            "framework": "PYTORCH",
            "frameworkVersion": "1.8",
            "precisionMode": "FP16",
            "inputs": [{"name": "data", "shape": [1, 3, 224, 224]}],
        }
    },
}


class ProjectFolder:
    """The project on disk."""

    graph, override, code, code_descriptor = GRAPH, OVERRIDE, CODE, CODE_DESCRIPTOR
    model, model_descriptor = MODEL, MODEL_DESCRIPTOR

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def edit(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a document below its root key."""
        document = json.loads((self.root / name).read_text())
        change(document[next(iter(document))])
        self.write(name, json.dumps(document, indent=4))

    def rename(self, old: str, new: str) -> None:
        (self.root / old).rename(self.root / new)


@pytest.fixture
def folder(tmp_path: Path) -> ProjectFolder:
    project = ProjectFolder(tmp_path / "sample")
    for name, document in DOCUMENTS.items():
        project.write(name, json.dumps(document, indent=4))
    code = Path(CODE).parent
    project.write(f"{code}/Dockerfile", "FROM x\nWORKDIR /panorama\nCOPY . .\nRUN pip install -r requirements.txt\n")
    project.write(f"{code}/requirements.txt", "boto3\n")
    project.write(f"{code}/application.py", "import panoramasdk\n")
    project.write(f"{Path(MODEL).parent}/squeezenet.onnx", b"a model")
    return project
