"""A new application: in Panorama's format, with code that runs at once."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vedette.documents.models import DescriptorDocument, DocumentModel, GraphDocument, PackageDocument
from vedette.projects.accounts import PLACEHOLDER_ACCOUNT, SYSTEM
from vedette.projects.errors import ProjectError
from vedette.projects.layout import laid_out
from vedette.resources import examples_dir

_TEMPLATES: Final = Path(__file__).with_name("templates")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_-]+")
_ENVELOPE: Final = "2021-01-01"
_MODEL_PACKAGE: Final = "NANODET_G"
_MODEL_EXAMPLE: Final = "people-counter"
_WHAT: Final = {
    False: "Shows how much moves in front of each camera: an application in AWS Panorama's format.",
    True: "Finds people, or other things, in front of each camera: an application in AWS Panorama's format.",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of the new application: node, port, and what a person reads about it."""

    node: str
    port: str
    interface: str
    value: str | int | float
    title: str
    description: str


@dataclass(frozen=True)
class Skeleton:
    """Files of a new project, by their paths in it."""

    texts: Mapping[str, str]
    copies: Mapping[str, Path] = field(default_factory=dict)


def check_name(name: str) -> None:
    """Check the name of a new application: it names folder, graph and instance, and in capitals the code package.

    :raises ProjectError: if it cannot be one; proposes another where it can
    """
    if _NAME.fullmatch(name):
        return
    proposal = _NOT_ALLOWED.sub("-", name).strip("-_")[:64].strip("-_")
    if not proposal or not proposal[0].isalpha():
        proposal = f"app-{proposal}".rstrip("-")[:64] if proposal else "my-app"
    raise ProjectError(
        f"`{name[:80]}` cannot name an application: expected at most 64 letters, digits, - and _, and a letter first",
        f"vedette new {proposal}",
    )


def make_skeleton(name: str, *, with_model: bool) -> Skeleton:
    """Return the files of a new application.

    :raises ProjectError: if the name cannot be used
    :raises vedette.resources.ResourceError: if the example with the model is not installed
    """
    check_name(name)
    code = re.sub(r"[^A-Z0-9_]", "_", name.upper())
    if code == _MODEL_PACKAGE:
        code = f"{code}_CODE"
    parameters = _parameters(with_model=with_model)
    folder = f"packages/{PLACEHOLDER_ACCOUNT}-{code}-1.0"
    texts = {
        ".gitignore": ".vedette/\n",
        "README.md": _readme(name, code, parameters, with_model=with_model),
        f"graphs/{name}/graph.json": _json(_graph(code, parameters, with_model=with_model)),
        f"{folder}/package.json": _json(_package(code, parameters, with_model=with_model)),
        f"{folder}/descriptor.json": _json(_descriptor()),
        f"{folder}/Dockerfile": template("Dockerfile"),
        f"{folder}/requirements.txt": "numpy>=1.17,<3\n" + ("opencv-python-headless>=4.6,<5\n" if with_model else ""),
        f"{folder}/src/application.py": template("model.py" if with_model else "camera.py"),
        "assets/.gitkeep": "",
    }
    if not with_model:
        return Skeleton(texts)
    example = examples_dir() / _MODEL_EXAMPLE
    model = f"packages/{PLACEHOLDER_ACCOUNT}-{_MODEL_PACKAGE}-1.0"
    copies = {f"{model}/{file}": example / model / file for file in ("package.json", "descriptor.json")}
    copies |= {f"assets/{path.name}": path for path in sorted((example / "assets").iterdir())}
    del texts["assets/.gitkeep"]
    return Skeleton(texts, copies)


def create_project(folder: Path, skeleton: Skeleton) -> None:
    """Write a new project: the folder is there with everything in it, or not at all.

    :raises ProjectError: if ``folder`` is there already or cannot be made
    """
    if os.path.lexists(folder):
        raise ProjectError(f"`{folder}` is there already", "choose another name: nothing is written over")
    fresh: Path | None = None
    try:
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        fresh.chmod(0o755)
        for place, text in skeleton.texts.items():
            _make_folders(fresh, place).write_text(text, encoding="utf-8")
        for place, source in skeleton.copies.items():
            shutil.copyfile(source, _make_folders(fresh, place))
        fresh.rename(folder)
    except OSError as error:
        raise ProjectError(f"`{folder}` cannot be made: {error.strerror}") from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)


def _make_folders(root: Path, place: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def template(name: str) -> str:
    """Return the text of a file that new projects get."""
    return (_TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")


def _json(document: Mapping[str, Any]) -> str:
    return laid_out(document) + "\n"


def _parameters(*, with_model: bool) -> list[Parameter]:
    if with_model:
        return [
            Parameter("threshold", "threshold", "float32", 40.0, "Threshold", "Lowest confidence that counts, percent"),
            Parameter("class_id", "class_id", "int32", 0, "Class", "What to find: 0 person, 1 bicycle, 2 car (COCO)"),
            Parameter("label", "label", "string", "people", "Label", "What the number is called on the picture"),
        ]
    return [
        Parameter("threshold", "threshold", "float32", 20.0, "Threshold", "Change of brightness that counts (0-255)"),
        Parameter("label", "label", "string", "movement", "Label", "What the number is called on the picture"),
    ]


def _graph(code: str, parameters: list[Parameter], *, with_model: bool) -> dict[str, Any]:
    account = PLACEHOLDER_ACCOUNT
    models = [(f"{account}::{_MODEL_PACKAGE}", "model_node")] if with_model else []
    packages = [f"{account}::{code}", *(name for name, _ in models)]
    packages += [f"{SYSTEM}::abstract_rtsp_media_source", f"{SYSTEM}::hdmi_data_sink"]
    nodes: list[dict[str, Any]] = [{"name": "code_node", "interface": f"{account}::{code}.interface"}]
    nodes += [{"name": node, "interface": f"{name}.interface"} for name, node in models]
    nodes.append(
        {
            "name": "camera_node",
            "interface": f"{SYSTEM}::abstract_rtsp_media_source.rtsp_v1_interface",
            "overridable": True,
            "overrideMandatory": True,
            "decorator": {"title": "Camera", "description": "Camera to watch; several may be chosen."},
        }
    )
    nodes.append({"name": "output_node", "interface": f"{SYSTEM}::hdmi_data_sink.hdmi0"})
    nodes += [
        {
            "name": parameter.node,
            "interface": parameter.interface,
            "value": parameter.value,
            "overridable": True,
            "decorator": {"title": parameter.title, "description": parameter.description},
        }
        for parameter in parameters
    ]
    edges = [{"producer": "camera_node.video_out", "consumer": "code_node.video_in"}]
    edges += [{"producer": item.node, "consumer": f"code_node.{item.port}"} for item in parameters]
    edges.append({"producer": "code_node.video_out", "consumer": "output_node.video_in"})
    graph = {
        "envelopeVersion": _ENVELOPE,
        "description": _WHAT[with_model].partition(":")[0] + ".",
        "packages": [{"name": name, "version": "1.0"} for name in packages],
        "nodes": nodes,
        "edges": edges,
    }
    return _checked(GraphDocument, {"nodeGraph": graph})


def _package(code: str, parameters: list[Parameter], *, with_model: bool) -> dict[str, Any]:
    inputs = [{"name": "video_in", "type": "media", "description": "Cameras to watch"}]
    inputs += [{"name": item.port, "type": item.interface, "description": item.description} for item in parameters]
    package = {
        "envelopeVersion": _ENVELOPE,
        "name": code,
        "version": "1.0",
        "description": _WHAT[with_model].partition(":")[0] + ".",
        "assets": [],
        "interfaces": [
            {
                "name": "interface",
                "category": "business_logic",
                "asset": "code_asset",
                "inputs": inputs,
                "outputs": [{"name": "video_out", "type": "media", "description": "Frames with what was found"}],
            }
        ],
    }
    return _checked(PackageDocument, {"nodePackage": package})


def _descriptor() -> dict[str, Any]:
    entry = {"path": "python3", "name": "/panorama/application.py"}
    return _checked(DescriptorDocument, {"runtimeDescriptor": {"envelopeVersion": _ENVELOPE, "entry": entry}})


def _checked(model: type[DocumentModel], document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document``, which the model takes, in the order in which a person would write it."""
    model.model_validate(document)
    return document


def _readme(name: str, code: str, parameters: list[Parameter], *, with_model: bool) -> str:
    model = f"packages/{PLACEHOLDER_ACCOUNT}-{_MODEL_PACKAGE}-1.0"
    row = f"| `{model}/`, `assets/` | the model: NanoDet-g, 8 bit (Apache License 2.0) |\n" if with_model else ""
    values = {
        "@NAME@": name,
        "@CODE@": code,
        "@ACCOUNT@": PLACEHOLDER_ACCOUNT,
        "@WHAT@": _WHAT[with_model],
        "@MODEL_ROW@": row,
        "@PARAMETERS@": "\n".join(f"| `{p.node}` | {p.description} | `{p.value}` |" for p in parameters),
    }
    text = template("README.md")
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
