"""New packages of a project, and the parts of Panorama that a graph may use."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from vedette.documents.models import DescriptorDocument, DocumentModel, PackageDocument
from vedette.documents.project import Project
from vedette.projects.accounts import SYSTEM, own_account
from vedette.projects.editing import ProjectEdit
from vedette.projects.errors import ProjectError
from vedette.projects.graph_edits import GraphEdit, graph_path, interfaces_of
from vedette.projects.layout import laid_out
from vedette.projects.skeleton import template
from vedette.redaction import split_credentials

PackageKind = Literal["code", "model", "camera", "output"]
KINDS: Final = get_args(PackageKind)
Framework = Literal["PYTORCH", "TENSORFLOW", "MXNET"]
FRAMEWORKS: Final = get_args(Framework)
ENVELOPE: Final = "2021-01-01"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_VERSION: Final = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")
_TENSOR: Final = re.compile(r"(?P<name>[^:]+):(?P<shape>[0-9]+([,x][0-9]+)*)(:(?P<type>[a-z]+[0-9]+))?")
_TYPES: Final = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32", "float64")
_MEDIA_IN: Final = {"name": "video_in", "type": "media", "description": "Video stream input"}
_MEDIA_OUT: Final = {"name": "video_out", "type": "media", "description": "Video stream output"}
_WHAT: Final = {
    "code": "Code of the application.",
    "model": "A model that the code calls.",
    "camera": "A camera.",
    "output": "A display.",
}


@dataclass(frozen=True)
class NewPackage:
    """What a new package is to be."""

    name: str
    kind: PackageKind
    version: str = "1.0"
    url: str = ""
    """Address of a camera."""
    framework: Framework = "PYTORCH"
    inputs: tuple[str, ...] = ()
    """Inputs of a model: ``NAME:1,3,224,224[:float32]``."""


def plan_package(project: Project, new: NewPackage, graph: str | None = None) -> ProjectEdit:
    """Plan a new package: its folder, its entry in the graph, its node, and edges where there is one way to join it.

    :raises ProjectError: if name, version, address or inputs cannot be used, or the package is there already
    """
    _check(project, new)
    edit = ProjectEdit(project.root)
    account = own_account(project)
    folder = project.root / "packages" / f"{account}-{new.name}-{new.version}"
    if folder.exists():
        raise ProjectError(f"packages/{folder.name} is there already", "choose another name or version")
    package = _package(new)
    for name, text in _texts(new, package).items():
        edit.add(folder / name, text.encode())
    edit.said.append(("package", f"packages/{folder.name}"))
    interface = package["nodePackage"]["interfaces"][0]
    interfaces = {**interfaces_of(project), f"{new.name}.{interface['name']}": interface}
    changes = GraphEdit(edit, graph_path(project, graph), interfaces)
    changes.add_package(f"{account}::{new.name}", new.version)
    if new.kind == "code" and (codes := changes.kinds("business_logic")):
        edit.said.append(("node", f"none: {codes[0]['name']} is the application's code already"))
        return edit
    changes.add_node(
        {"name": _node_name(new, changes), "interface": f"{account}::{new.name}.{interface['name']}"}
        | ({"overridable": True} if new.kind == "camera" else {})
    )
    changes.connect()
    return edit


def plan_system_node(
    project: Project, kind: Literal["camera", "output"], name: str, graph: str | None = None
) -> ProjectEdit:
    """Plan a node of one of the packages that Panorama brought along: a camera to be chosen, or the display.

    :raises ProjectError: if the name cannot be used
    """
    edit = ProjectEdit(project.root)
    changes = GraphEdit(edit, graph_path(project, graph), interfaces_of(project))
    package = "abstract_rtsp_media_source" if kind == "camera" else "hdmi_data_sink"
    interface = f"{SYSTEM}::{package}.{'rtsp_v1_interface' if kind == 'camera' else 'hdmi0'}"
    node: dict[str, Any] = {"name": name, "interface": interface}
    if kind == "camera":
        node |= {
            "overridable": True,
            "overrideMandatory": True,
            "decorator": {"title": f"Camera {name}"[:255], "description": "Camera to watch; several may be chosen."},
        }
    changes.add_package(f"{SYSTEM}::{package}", "1.0")
    changes.add_node(node)
    changes.connect()
    return edit


def read_inputs(values: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read ``NAME:1,3,224,224[:float32]`` as the inputs of a model descriptor.

    :raises ProjectError: if one cannot be read
    """
    found = []
    for value in values:
        match = _TENSOR.fullmatch(value)
        if match is None or (match["type"] is not None and match["type"] not in _TYPES):
            raise ProjectError(
                f"--input takes NAME:SHAPE, got `{value[:80]}`",
                f"for example data:1,3,224,224 or image_tensor:1,300,300,3:uint8 ({', '.join(_TYPES)})",
            )
        shape = [int(part) for part in re.split("[,x]", match["shape"])]
        item: dict[str, Any] = {"name": match["name"], "shape": shape}
        found.append(item | ({"type": match["type"]} if match["type"] else {}))
    return found


def text_of(document: dict[str, Any], model: type[DocumentModel]) -> str:
    """Return the text of a new document, which ``model`` takes."""
    model.model_validate(document)
    return laid_out(document) + "\n"


def model_descriptor(framework: str, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Return the descriptor of a model."""
    tensors = read_inputs(inputs or ("data:1,3,224,224",))
    return {"mlModelDescriptor": {"envelopeVersion": ENVELOPE, "framework": framework, "inputs": tensors}}


def _check(project: Project, new: NewPackage) -> None:
    if not _NAME.fullmatch(new.name):
        raise ProjectError(
            f"`{new.name[:80]}` cannot name a package: expected at most 128 letters, digits, - and _, a letter first"
        )
    if not _VERSION.fullmatch(new.version):
        raise ProjectError(f"--version takes MAJOR.MINOR, got `{new.version[:40]}`", "for example 1.0")
    if new.framework not in FRAMEWORKS:
        raise ProjectError(f"--framework takes {', '.join(FRAMEWORKS)}, got `{new.framework[:40]}`")
    same = [package for package in project.packages if package.name.lower() == new.name.lower()]
    if same:
        raise ProjectError(f"the project has a package {same[0]} already", "choose another name")
    if new.url:
        try:
            clean, user, _ = split_credentials(new.url)
        except ValueError:
            clean, user = "", None
        if user is not None:
            raise ProjectError(
                "the address of a camera package may hold no user and password: the file is not secret",
                "give them with `vedette run --camera` or in the cameras file",
            )
        if not clean.lower().startswith(("rtsp://", "rtsps://")):
            raise ProjectError(f"--url takes rtsp://HOST/PATH, got `{new.url[:80]}`")


def _node_name(new: NewPackage, changes: GraphEdit) -> str:
    own = f"{new.name.lower()}_node"
    if new.kind == "code":
        return changes.free_name("code_node", own)
    return changes.free_name("model_node", own) if new.kind == "model" else new.name


def _texts(new: NewPackage, package: dict[str, Any]) -> dict[str, str]:
    texts = {"package.json": text_of(package, PackageDocument)}
    if new.kind == "model":
        texts["descriptor.json"] = text_of(model_descriptor(new.framework, new.inputs), DescriptorDocument)
    if new.kind == "code":
        entry = {"path": "python3", "name": "/panorama/application.py"}
        descriptor = {"runtimeDescriptor": {"envelopeVersion": ENVELOPE, "entry": entry}}
        texts |= {
            "descriptor.json": text_of(descriptor, DescriptorDocument),
            "Dockerfile": template("Dockerfile"),
            "requirements.txt": "numpy>=1.17,<3\n",
            "src/application.py": template("frames.py"),
        }
    return texts


def _package(new: NewPackage) -> dict[str, Any]:
    system = {"camera": "source/video/camera/rtsp/source_rtsp", "output": "sink/video/hdmi/sink_hdmi"}
    asset = {"code": "code_asset", "model": "model_asset", "camera": "rtsp_camera", "output": "sink_hdmi"}[new.kind]
    assets = []
    if new.kind in system:
        assets = [{"name": asset, "implementations": [{"type": "system", "assetUri": system[new.kind]}]}]
    return {
        "nodePackage": {
            "envelopeVersion": ENVELOPE,
            "name": new.name,
            "version": new.version,
            "description": _WHAT[new.kind],
            "assets": assets,
            "interfaces": [_interface(new, asset)],
        }
    }


def _interface(new: NewPackage, asset: str) -> dict[str, Any]:
    category = {"code": "business_logic", "model": "ml_model", "camera": "media_source", "output": "media_sink"}
    # A camera's package, node and interface have its name, as those that Panorama registered.
    name = new.name if new.kind == "camera" else "interface"
    inputs: list[dict[str, Any]] = [_MEDIA_IN]
    outputs: list[dict[str, Any]] = [_MEDIA_OUT]
    if new.kind == "camera":
        inputs = [
            {"name": "username", "type": "string", "default": "", "description": "User at the camera"},
            {"name": "password", "type": "string", "default": "", "description": "Password; empty where none is asked"},
            {"name": "streamUrl", "type": "string", "default": new.url, "description": "rtsp://HOST/PATH"},
        ]
    elif new.kind == "output":
        outputs = []
    return {"name": name, "category": category[new.kind], "asset": asset, "inputs": inputs, "outputs": outputs}
