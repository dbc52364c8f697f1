"""Verdicts on single documents: what AWS's schemas accept is accepted, with every field there is."""

import json
from pathlib import Path
from typing import Any

import pytest

from vedette.documents.document import parse_document
from vedette.documents.findings import errors
from vedette.documents.models import (
    DescriptorDocument,
    DocumentModel,
    GraphDocument,
    OverrideDocument,
    PackageDocument,
    PackageOverridesDocument,
)

VERSION = {"envelopeVersion": "2021-01-01"}
DECORATOR = {"title": "t", "description": "d", "constraintText": "c", "constraintRegex": "^x$"}
PARAMETER = {"overridable": True, "overrideMandatory": False, "decorator": DECORATOR}
PORT = {"description": "", "maxConnections": 0, "reference": False, "referenceSource": "r"}
ASSET = {
    "description": "d",
    "name": "$asset-1",
    "implementations": [
        {
            "description": "d",
            "type": "container",
            "assetUri": "x.tar.gz",
            "descriptorUri": "x.json",
            "requirements": [
                {"type": "ota", "minVersion": "3.0.50"},
                {"type": "ota", "maxVersion": "3.0.50"},
                {"type": "device", "name": "panorama_devkit"},
                {
                    "type": "hardware_access",
                    "inferenceAccelerators": [
                        {"deviceType": "nvhost_gpu", "sharedResourcePolicy": {"policy": "allow_all", "further": 1}},
                        {"deviceType": "nvhost_gpu", "sharedResourcePolicy": {}},
                    ],
                },
            ],
        },
        {"type": "system", "assetUri": "source/video/camera/rtsp/source_rtsp"},
    ],
}
INCLUDE = {"name": "a::b-c", "version": "1.0", "patchVersion": "p", "generatedPatchVersion": "g", "uri": "u"}
NODES: list[dict[str, Any]] = [
    {"name": "code-node", "interface": "a::B.c", "launch": "onDemand", **PARAMETER},
    {"name": "s", "interface": "string", "value": "", **PARAMETER},
    {"name": "i", "interface": "int32", "value": 1.0, **PARAMETER},
    {"name": "f", "interface": "float32", "value": 1, **PARAMETER},
    {"name": "b", "interface": "boolean", "value": False, **PARAMETER},
    {"name": "bare", "interface": "string"},
]
EDGES = [{"producer": "code-node.out", "consumer": "other.in"}, {"producer": "ab", "consumer": "cd"}]
RULES = [
    {"node": "n", "containerPort": 1, "hostPort": -5, "decorator": DECORATOR},
    {"node": "n", "containerPort": 65535},
]

ACCEPTED: dict[str, tuple[type[DocumentModel], dict[str, Any]]] = {
    "graph": (
        GraphDocument,
        {
            "nodeGraph": {
                **VERSION,
                "description": "x" * 255,
                "packages": [INCLUDE, {"name": "a::b", "version": "12.34"}],
                "nodes": NODES,
                "edges": EDGES,
                "networkRoutingRules": RULES,
            }
        },
    ),
    "smallest override": (OverrideDocument, {"nodeGraphOverrides": VERSION}),
    "override": (
        OverrideDocument,
        {
            "nodeGraphOverrides": {
                **VERSION,
                "description": "",
                "packages": [INCLUDE],
                "nodes": NODES,
                "edges": EDGES,
                "networkRoutingRules": RULES,
                "nodeOverrides": [
                    {**VERSION, "replace": "x", "with": [{"name": "a"}, {"name": "b"}]},
                    {"replace": "y", "with": []},
                ],
            }
        },
    ),
    "package": (
        PackageDocument,
        {
            "nodePackage": {
                **VERSION,
                "name": "N",
                "version": "1.0",
                "description": "d",
                "assets": [ASSET, {"name": "bare"}],
                "interfaces": [
                    {
                        "description": "",
                        "name": "i",
                        "asset": "",
                        "category": "business_logic",
                        "inputs": [
                            {"name": "m", "type": "media", "description": "d", "maxConnections": 8},
                            {
                                "name": "s",
                                "type": "string",
                                "default": "d",
                                "constraintRegex": "",
                                "further": 1,
                                **PORT,
                            },
                            {"name": "i", "type": "int32", "default": 2.0, "constraintRegex": "", **PORT},
                            {"name": "f", "type": "float32", "default": 2, "constraintRegex": "", **PORT},
                            {"name": "b", "type": "boolean", "default": True, **PORT},
                        ],
                        "outputs": [
                            {"name": f"o{kind}", "type": kind, "description": "x" * 300}
                            for kind in ("media", "string", "int32", "float32", "boolean")
                        ],
                        "network": {"inboundPorts": [{"port": 80, "description": "http"}]},
                    },
                    {"name": "bare", "category": "media_sink", "network": {}},
                ],
            }
        },
    ),
    "package without name": (
        PackageDocument,
        {"nodePackage": {**VERSION, "interfaces": [{"name": "i", "category": "media_source"}]}},
    ),
    "package override": (
        PackageOverridesDocument,
        {
            "nodePackageOverrides": {
                **VERSION,
                "name": "N",
                "version": "1.0",
                "description": "",
                "assetOverrides": [ASSET],
            }
        },
    ),
    "model": (
        DescriptorDocument,
        {
            "mlModelDescriptor": {
                **VERSION,
                "framework": "TENSORFLOW",
                "frameworkVersion": "2.4",
                "precisionMode": "FP32",
                "inputs": [{"name": "", "shape": []}, {"name": "x", "shape": [1.0, -1], "type": "uint8"}],
            }
        },
    ),
    "runtime": (
        DescriptorDocument,
        {
            "runtimeDescriptor": {
                **VERSION,
                "entry": {
                    "path": "bash",
                    "name": "/panorama/run.sh",
                    "arguments": ["-x", ""],
                    "environment": [{"name": "A", "value": ""}],
                },
                "events": [
                    {"type": "onExit", "handler": "h", "description": "d"},
                    {"type": "onPartialInput", "handler": "h", "inputs": ["a"]},
                    {"type": "onCompleteInput", "handler": "h", "inputs": []},
                ],
            }
        },
    ),
    "runtime without entry": (DescriptorDocument, {"runtimeDescriptor": VERSION}),
    "runtime with an empty entry": (DescriptorDocument, {"runtimeDescriptor": {**VERSION, "entry": {}}}),
    "both descriptors": (
        DescriptorDocument,
        {"runtimeDescriptor": VERSION, "mlModelDescriptor": {**VERSION, "framework": "MXNET", "inputs": []}},
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_document_that_aws_accepts_is_refused(name: str) -> None:
    model, document = ACCEPTED[name]
    read = parse_document(json.dumps(document), Path("x.json"), "x.json")
    assert read.findings == ()
    assert isinstance(read.model, model)
    written = read.model.document()
    assert written == document, "round trip"


GRAPH = ACCEPTED["graph"][1]
PACKAGE = ACCEPTED["package"][1]
REFUSED: list[tuple[dict[str, Any], tuple[str | int, ...], object]] = [
    (GRAPH, ("nodeGraph", "envelopeVersion"), "2021-01-02"),
    (GRAPH, ("nodeGraph", "description"), "x" * 256),
    (GRAPH, ("nodeGraph", "packages", 0, "name"), "no-account"),
    (GRAPH, ("nodeGraph", "packages", 0, "version"), "1.0.0"),
    (GRAPH, ("nodeGraph", "nodes", 0, "name"), ""),
    (GRAPH, ("nodeGraph", "nodes", 0, "name"), "a b"),
    (GRAPH, ("nodeGraph", "nodes", 0, "interface"), "int64"),
    (GRAPH, ("nodeGraph", "nodes", 0, "interface"), 3),
    (GRAPH, ("nodeGraph", "nodes", 0, "value"), 1),
    (GRAPH, ("nodeGraph", "nodes", 1, "launch"), "onAppStart"),
    (GRAPH, ("nodeGraph", "nodes", 1, "value"), 1),
    (GRAPH, ("nodeGraph", "nodes", 2, "value"), True),
    (GRAPH, ("nodeGraph", "nodes", 3, "value"), True),
    (GRAPH, ("nodeGraph", "nodes", 4, "value"), 0),
    (GRAPH, ("nodeGraph", "nodes", 1, "decorator", "title"), "x" * 256),
    (GRAPH, ("nodeGraph", "nodes", 1, "decorator"), None),
    (GRAPH, ("nodeGraph", "edges", 0, "producer"), "a.b.c"),
    (GRAPH, ("nodeGraph", "edges", 0, "producer"), "a"),
    (GRAPH, ("nodeGraph", "networkRoutingRules", 0, "containerPort"), 0),
    (GRAPH, ("nodeGraph", "networkRoutingRules", 0, "containerPort"), 65536),
    (GRAPH, ("nodeGraph", "networkRoutingRules", 0, "hostPort"), 1.5),
    (GRAPH, ("nodeGraph", "extra"), 1),
    (GRAPH, ("extra",), 1),
    (ACCEPTED["override"][1], ("nodeGraphOverrides", "nodeOverrides", 0, "with"), {}),
    (ACCEPTED["override"][1], ("nodeGraphOverrides", "nodeOverrides", 0, "with", 0, "name"), ""),
    (PACKAGE, ("nodePackage", "name"), "a.b"),
    (PACKAGE, ("nodePackage", "version"), None),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "type"), "zip"),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "assetUri"), ""),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "requirements", 0, "minVersion"), 3),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "requirements", 0), {"type": "ota"}),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "requirements", 0), {"type": "os", "family": "unix"}),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "requirements", 0), {"type": ["ota"]}),
    (PACKAGE, ("nodePackage", "assets", 0, "implementations", 0, "requirements", 3), {"type": "hardware_access"}),
    (PACKAGE, ("nodePackage", "interfaces", 0, "category"), "code"),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 0, "name"), "with-dash"),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 0, "name"), "x" * 51),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 0, "default"), ""),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 0, "maxConnections"), -1),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 4, "constraintRegex"), ""),
    (PACKAGE, ("nodePackage", "interfaces", 0, "inputs", 2, "description"), "x" * 256),
    (PACKAGE, ("nodePackage", "interfaces", 0, "outputs", 0, "type"), "double"),
    (PACKAGE, ("nodePackage", "interfaces", 0, "network", "inboundPorts"), [{"port": 1}] * 11),
    (ACCEPTED["model"][1], ("mlModelDescriptor", "framework"), "KERAS"),
    (ACCEPTED["model"][1], ("mlModelDescriptor", "framework"), ["ONNX"]),
    (ACCEPTED["model"][1], ("mlModelDescriptor", "frameworkVersion"), "2"),
    (ACCEPTED["model"][1], ("mlModelDescriptor", "inputs", 0, "shape"), ["N"]),
    (ACCEPTED["model"][1], ("mlModelDescriptor", "inputs", 1, "type"), "int64"),
    (ACCEPTED["runtime"][1], ("runtimeDescriptor", "entry", "name"), ""),
    (ACCEPTED["runtime"][1], ("runtimeDescriptor", "entry", "arguments"), [1]),
    (ACCEPTED["runtime"][1], ("runtimeDescriptor", "events", 0, "inputs"), []),
    (ACCEPTED["runtime"][1], ("runtimeDescriptor", "events", 1, "type"), ["onExit"]),
    (ACCEPTED["runtime"][1], ("runtimeDescriptor", "events", 1, "type"), "onEntry"),
]


@pytest.mark.parametrize(("document", "pointer", "value"), REFUSED)
def test_document_that_aws_refuses_is_accepted(
    document: dict[str, Any], pointer: tuple[str | int, ...], value: object
) -> None:
    changed = json.loads(json.dumps(document))
    parent = changed
    for step in pointer[:-1]:
        parent = parent[step]
    parent[pointer[-1]] = value
    text = json.dumps(changed, indent=2)
    read = parse_document(text, Path("x.json"), "x.json")
    assert read.model is None
    found = errors(read.findings)
    assert found
    line = text.splitlines()[found[0].line - 1]
    assert found[0].column <= len(line) + 1


TOLERATED: list[dict[str, Any]] = [
    {"nodeGraph": {**VERSION, "packages": [], "nodes": []}},
    {"nodePackage": {**VERSION, "name": "", "interfaces": []}},
    {"nodePackage": {**VERSION, "interfaces": [{"name": "i"}]}},
    {
        "nodePackage": {
            **VERSION,
            "interfaces": [
                {
                    "name": "i",
                    "category": "media_source",
                    "inputs": [
                        {"name": "sourceNames", "type": "string[]"},
                        {"name": "fps", "type": "float32", "default": 0, "minimum": 0},
                    ],
                }
            ],
        }
    },
    {
        "nodePackage": {
            **VERSION,
            "interfaces": [{"name": "i", "category": "business_logic"}],
            "assets": [
                {
                    "name": "a",
                    "implementations": [
                        {
                            "type": "container",
                            "assetUri": "x",
                            "requirements": [
                                {"type": "hardware_access", "nvAccelerators": [{"deviceType": "nvhost_gpu"}]}
                            ],
                        }
                    ],
                }
            ],
        }
    },
    {"mlModelDescriptor": {**VERSION, "framework": "ONNX", "inputs": []}},
    {"runtimeDescriptor": VERSION, "mlModelDescriptor": {**VERSION, "framework": "ONNX", "inputs": []}},
    {
        "nodePackageOverrides": {
            **VERSION,
            "assetOverrides": [
                {
                    "name": "a",
                    "implementations": [
                        {
                            "type": "model",
                            "assetUri": "x",
                            "requirements": [{"type": "hardware_access", "nvAccelerators": []}],
                        }
                    ],
                }
            ],
        }
    },
    {"nodeGraph": {**VERSION, "packages": [INCLUDE], "nodes": [{**NODES[1], "decorator": {"description": ""}}]}},
    {"nodeGraph": {**VERSION, "packages": [INCLUDE], "nodes": [{**NODES[1], "description": "x"}]}},
]


@pytest.mark.parametrize("document", TOLERATED, ids=range(len(TOLERATED)))
def test_deviation_from_the_field_is_refused_or_goes_unnoticed(document: dict[str, Any]) -> None:
    read = parse_document(json.dumps(document), Path("x.json"), "x.json")
    assert read.model is not None
    assert {finding.code for finding in read.findings} == {"V030"}


def test_default_of_a_password_is_shown() -> None:
    port = {"name": "password", "type": "string", "default": 12345678, "extra": 1}
    document = {"nodePackage": {**VERSION, "interfaces": [{"name": "i", "category": "media_source", "inputs": [port]}]}}
    read = parse_document(json.dumps(document), Path("x.json"), "x.json")
    assert errors(read.findings)
    assert "12345678" not in " ".join(str(finding) for finding in read.findings)
