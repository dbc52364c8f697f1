"""What is looked at: every graph, each override with its graph, and the limits that only compiling shows."""

import json
from pathlib import Path
from typing import Any, Final

from vedette.compiler import compile_application
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.resources import examples_dir
from vedette.validation import validate

VERSION: Final = {"envelopeVersion": "2021-01-01"}
CODE: Final = "packages/123456789012-CODE-1.0"
CAMERA: Final = "panorama::abstract_rtsp_media_source.rtsp_v1_interface"


def write(root: Path, name: str, document: Any) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) if isinstance(document, dict) else document)


def graph(*nodes: dict[str, Any]) -> dict[str, Any]:
    code = {"name": "code", "interface": "123456789012::CODE.i"}
    names = ("123456789012::CODE", "panorama::abstract_rtsp_media_source")
    include = [{"name": name, "version": "1.0"} for name in names]
    return {"nodeGraph": {**VERSION, "packages": include, "nodes": [code, *nodes]}}


def override(replace: str) -> dict[str, Any]:
    node = {"name": "new", "interface": "string", "value": "x"}
    replaced = [{"replace": replace, "with": [{"name": "new"}]}]
    return {"nodeGraphOverrides": {**VERSION, "nodes": [node], "nodeOverrides": replaced}}


def project(root: Path) -> Path:
    interface = {"name": "i", "category": "business_logic", "inputs": [{"name": "video_in", "type": "media"}]}
    write(root, f"{CODE}/package.json", {"nodePackage": {**VERSION, "interfaces": [interface]}})
    entry = {"path": "python3", "name": "/panorama/app.py"}
    write(root, f"{CODE}/descriptor.json", {"runtimeDescriptor": {**VERSION, "entry": entry}})
    write(root, f"{CODE}/src/app.py", "import panoramasdk\n")
    write(root, "graphs/a/graph.json", graph({"name": "p", "interface": "string", "overridable": True}))
    return root


def codes(root: Path) -> list[str]:
    return [f"{item.code} {item.file}" for item in validate(load_project(root)).findings]


def test_second_graph_is_not_looked_at(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, "graphs/b/graph.json", graph({"name": "m", "interface": "123456789012::LOST.i"}))
    assert codes(tmp_path) == ["V021 graphs/b/graph.json", "V024 graphs/b/graph.json"]
    result = validate(load_project(tmp_path))
    assert [(item.graph, item.good) for item in result.applications] == [
        ("graphs/a/graph.json", True),
        ("graphs/b/graph.json", False),
    ]


def test_override_is_tried_with_another_graph_or_not_at_all(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, "graphs/b/graph.json", graph({"name": "q", "interface": "string", "overridable": True}))
    write(tmp_path, "graphs/b/override.json", override("q"))
    assert codes(tmp_path) == []
    write(tmp_path, "graphs/b/override.json", override("p"))
    assert codes(tmp_path) == ["V040 graphs/b/override.json"]


def test_template_of_an_override_is_an_error(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, "graphs/a/override.json", override("{YourNode}"))
    assert codes(tmp_path) == ["V030 graphs/a/override.json"]


def test_mandatory_override_is_missed(tmp_path: Path) -> None:
    project(tmp_path)
    camera = {"name": "camera", "interface": CAMERA, "overridable": True, "overrideMandatory": True}
    write(tmp_path, "graphs/a/graph.json", graph(camera))
    assert codes(tmp_path) == []


def test_code_of_two_graphs_is_looked_at_twice(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, "graphs/b/graph.json", graph())
    write(tmp_path, f"{CODE}/src/app.py", "import (\n")
    assert [code for code in codes(tmp_path) if code.startswith("V080")] == [f"V080 {CODE}/src/app.py"]


def test_single_model_comes_near_the_limit_of_recipes() -> None:
    """Limits are worked out for several models only: the recipe of one must stay far below."""
    root = examples_dir() / "people-counter"
    cameras = {"camera_node": [CameraSource(name="street", url="/street.mp4")]}
    application = resolve(load_project(root), (), cameras, instance="x" * 100).application
    assert application is not None
    assert max(len(component.recipe_text()) for component in compile_application(application).components) < 8000


def test_a_manifest_as_large_as_panorama_took_is_refused(tmp_path: Path) -> None:
    """50,000 characters, and the same with every blank taken out, as AWS's deploy script sent it."""
    project(tmp_path)
    text = "A text for the person who deploys. " * 6
    nodes = [
        {"name": f"p{number}", "interface": "string", "value": "x", "decorator": {"title": text, "description": text}}
        for number in range(82)
    ]
    whole = graph(*nodes)
    whole["nodeGraph"]["edges"] = [{"producer": "p0", "consumer": "code.text"}]
    ports = [{"name": "video_in", "type": "media"}, {"name": "text", "type": "string"}]
    interface = {"name": "i", "category": "business_logic", "inputs": ports}
    write(tmp_path, f"{CODE}/package.json", {"nodePackage": {**VERSION, "interfaces": [interface]}})
    write(tmp_path, "graphs/a/graph.json", whole)
    assert 49_000 < len((tmp_path / "graphs/a/graph.json").read_text()) < 51_200
    stripped = json.dumps(whole, separators=(",", ":")).replace(" ", "")
    compiled = []
    for document in (json.dumps(whole), stripped):
        write(tmp_path, "graphs/a/graph.json", document)
        assert codes(tmp_path) == []
        application = resolve(load_project(tmp_path)).application
        assert application is not None
        made = compile_application(application)
        assert len(made.application.recipe_text()) < 8000, "the manifest goes into the artifact, not the recipe"
        compiled.append(made.configuration)
    assert compiled[0] == compiled[1]
    assert compiled[0]["parameters"] == {"p0": "x"}
