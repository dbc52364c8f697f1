"""Puts a model or a container image into ``assets/`` under its hash, and names it in package.json."""

import hashlib
import re
from pathlib import Path
from typing import Any, Final, Literal

from vedette.documents.document import shown_path
from vedette.documents.findings import errors
from vedette.documents.json_text import JsonTextError, read_json
from vedette.documents.model_files import (
    FORMATS,
    OTHER_MODELS,
    ModelFileError,
    archive_members,
    is_archive,
    sha256_of,
    with_side_files,
)
from vedette.documents.models import DescriptorDocument
from vedette.documents.project import Package, Project
from vedette.documents.suggestions import did_you_mean
from vedette.projects.accounts import own_account
from vedette.projects.editing import ProjectEdit, not_json
from vedette.projects.errors import ProjectError
from vedette.projects.graph_edits import GraphEdit, graph_path, interfaces_of
from vedette.projects.packages import FRAMEWORKS, model_descriptor, read_inputs, text_of
from vedette.projects.text_edits import append_item, set_value

_HASHED: Final = re.compile(r"[0-9a-f]{64}(?:\.[a-z0-9.]+)?")
_MAX_BYTES: Final = 8 << 30


def package_named(project: Project, name: str) -> Package:
    """Return the package of that name, or of that folder.

    :raises ProjectError: if there is none, or its documents have errors
    """
    known = {package.name: package for package in project.packages}
    folder = Path(name).name
    found = known.get(name) or next((item for item in project.packages if item.folder.name == folder), None)
    if found is None:
        hint = did_you_mean(name, known, what="packages") or f"vedette package new {name[:60]}"
        raise ProjectError(f"the project has no package `{name[:80]}`", hint)
    if found.document.model is None:
        first = errors(found.document.findings)
        raise ProjectError(f"{found.document.file} has errors: {first[0].message if first else ''}", "vedette validate")
    return found


def plan_model(
    project: Project,
    name: str,
    file: Path | None,
    *,
    asset: str | None = None,
    descriptor: Path | None = None,
    framework: str | None = None,
    inputs: tuple[str, ...] = (),
    graph: str | None = None,
) -> ProjectEdit:
    """Plan to put ``file`` and its descriptor into assets/; without ``file`` the descriptor alone is taken anew.

    :raises ProjectError: if the file is no model, or the descriptor cannot be read or written
    """
    package = package_named(project, name)
    edit = ProjectEdit(project.root)
    text = _descriptor(package, edit, descriptor, framework, inputs)
    chosen = _chosen_asset(package, asset, "model")
    described = f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    edit.add(project.assets / described, text.encode())
    implementation: dict[str, Any] = {"type": "model"}
    if file is not None:
        named = _model_name(file)
        edit.add(project.assets / named, file)
        implementation["assetUri"] = named
    else:
        implementation["assetUri"] = _present_uri(package, chosen)
    implementation["descriptorUri"] = described
    _put_asset(edit, project, package, chosen, implementation)
    _give_interface(edit, project, package, chosen, "ml_model", graph)
    edit.said.append(("asset", f"{chosen}: assets/{implementation['assetUri']}"))
    edit.said.append(("descriptor", f"assets/{described}"))
    return edit


def plan_container(
    project: Project, name: str, archive: Path, *, asset: str | None = None, graph: str | None = None
) -> ProjectEdit:
    """Plan to put ``archive``, an exported file system packed with gzip, into assets/ as the package's code.

    :raises ProjectError: if the package has no runtime descriptor, or the archive cannot be read
    """
    package = package_named(project, name)
    if package.descriptor is None or package.descriptor.kind != "runtimeDescriptor" or package.descriptor.model is None:
        raise ProjectError(
            f"package {package} has no descriptor.json with runtimeDescriptor",
            "it says what is started: python3 /panorama/application.py",
        )
    edit = ProjectEdit(project.root)
    content = package.descriptor.path.read_bytes()
    described = f"{hashlib.sha256(content).hexdigest()}.json"
    named = f"{_digest(archive)}.tar.gz"
    edit.add(project.assets / described, content)
    edit.add(project.assets / named, archive)
    chosen = _chosen_asset(package, asset, "container")
    implementation = {"type": "container", "assetUri": named, "descriptorUri": described}
    _put_asset(edit, project, package, chosen, implementation)
    _give_interface(edit, project, package, chosen, "business_logic", graph)
    edit.said.append(("asset", f"{chosen}: assets/{named}"))
    edit.said.append(("descriptor", f"assets/{described}"))
    return edit


def _descriptor(
    package: Package, edit: ProjectEdit, given: Path | None, framework: str | None, inputs: tuple[str, ...]
) -> str:
    """Return the text of the model's descriptor; one that is made or changed is written to the package too."""
    path = package.folder / "descriptor.json"
    own = path.is_file()
    if framework is not None and framework not in FRAMEWORKS:
        raise ProjectError(f"--framework takes {', '.join(FRAMEWORKS)}, got `{framework[:40]}`")
    if given is not None:
        try:
            text = given.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ProjectError(f"{given} cannot be read: {reason}") from error
    elif own:
        text = edit.read(path)
    elif inputs:
        text = text_of(model_descriptor(framework or "PYTORCH", inputs), DescriptorDocument)
    else:
        raise ProjectError(f"package {package} has no descriptor.json", "say what the model takes: --input NAME:SHAPE")
    if given is not None or own:
        text = _changed(text, given or path, edit, framework, inputs)
    if given is None:
        if own:
            edit.write(path, text)
        else:
            edit.add(path, text.encode())
    return text


def _changed(text: str, path: Path, edit: ProjectEdit, framework: str | None, inputs: tuple[str, ...]) -> str:
    try:
        if framework is not None:
            text = set_value(text, ("mlModelDescriptor", "framework"), framework)
        if inputs:
            text = set_value(text, ("mlModelDescriptor", "inputs"), read_inputs(inputs))
        read = DescriptorDocument.model_validate(read_json(text).value)
    except (JsonTextError, ValueError, KeyError, TypeError) as error:
        problem = "it is not JSON" if isinstance(error, JsonTextError) else "it is no model descriptor"
        raise ProjectError(f"{shown_path(path, edit.root)}: {problem}", "vedette schema descriptor") from error
    if read.ml_model_descriptor is None:
        raise ProjectError(f"{shown_path(path, edit.root)} is no model descriptor: it has no mlModelDescriptor")
    return text


def _model_name(file: Path) -> str:
    """Return the name that a model file gets in assets/."""
    suffix = file.suffix.lower()
    if is_archive(file):
        try:
            members = archive_members(file)
        except ModelFileError as error:
            raise ProjectError(str(error), "a model is packed as one .tar.gz") from error
        if not any(name.lower().endswith((*FORMATS, *OTHER_MODELS, "-symbol.json")) for name in members):
            shown = ", ".join(sorted(members)[:4]) or "nothing"
            raise ProjectError(f"{file.name} holds no model: {shown}", "expected .onnx, .tflite, .pth, .pb or MXNet's")
        suffix = ".tar.gz" if not file.name.endswith(".tar") else ".tar"
    elif suffix not in FORMATS:
        raise ProjectError(
            f"{file.name} is no model that can be added", "expected .onnx, .tflite, or an archive .tar.gz"
        )
    elif file.is_file():
        beside = with_side_files(file.name, [path.name for path in file.parent.iterdir()])[1:]
        if beside:
            raise ProjectError(
                f"{file.name} keeps its weights in {', '.join(beside[:3])}",
                f"pack them together: tar czf model.tar.gz {file.name} {' '.join(beside[:3])}",
            )
    return f"{_digest(file)}{suffix}"


def _digest(file: Path) -> str:
    try:
        size = file.stat().st_size
        if size > _MAX_BYTES:
            raise ProjectError(f"{file.name} has {size} bytes: an asset has at most {_MAX_BYTES}")
        return sha256_of(file)
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}") from error


def _assets(package: Package) -> list[Any]:
    return list(package.document.require().node_package.assets)


def _chosen_asset(package: Package, asset: str | None, kind: Literal["model", "container"]) -> str:
    """Return the asset that is replaced or made: the one named, the only one, the interface's."""
    if asset is not None:
        return asset
    own = [item.name for item in _assets(package) if not any(part.type == "system" for part in item.implementations)]
    interfaces = [item.asset for item in package.document.require().node_package.interfaces if item.asset]
    names = list(dict.fromkeys([*own, *interfaces]))
    if len(names) > 1:
        raise ProjectError(f"package {package} has {len(names)} assets: {', '.join(names)}", f"--asset {names[0]}")
    return names[0] if names else f"{'model' if kind == 'model' else 'code'}_asset"


def _present_uri(package: Package, asset: str) -> str:
    for item in _assets(package):
        for implementation in item.implementations:
            if item.name == asset and implementation.type == "model":
                return str(implementation.asset_uri)
    raise ProjectError(f"package {package} has no model yet", f"vedette package add-model {package.name} MODEL.tar.gz")


def _put_asset(
    edit: ProjectEdit, project: Project, package: Package, asset: str, implementation: dict[str, Any]
) -> None:
    """Name the asset's files in package.json; files that nothing names any more are taken away."""
    path = package.document.path
    before: set[str] = set()
    try:
        text = edit.read(path)
        for index, item in enumerate(_assets(package)):
            if item.name != asset:
                continue
            old = item.implementations[0] if item.implementations else None
            if old is not None:
                before = {old.asset_uri, old.descriptor_uri}
                if old.requirements:  # the GPU that a container asks for
                    implementation["requirements"] = [entry.document() for entry in old.requirements]
            edit.write(path, set_value(text, ("nodePackage", "assets", index, "implementations"), [implementation]))
            break
        else:
            item = {"name": asset, "implementations": [implementation]}
            edit.write(path, append_item(text, ("nodePackage", "assets"), item))
    except (JsonTextError, ValueError) as error:
        raise not_json(path, project.root, error) from error
    kept = {implementation["assetUri"], implementation["descriptorUri"]} | _named(project, package, asset)
    for uri in sorted(before - kept - {""}):
        if _HASHED.fullmatch(uri) and (project.assets / uri).is_file():
            edit.remove(project.assets / uri)


def _named(project: Project, package: Package, asset: str) -> set[str]:
    """Return the files of assets/ that others than this asset name."""
    found: set[str] = set()
    for other in project.packages:
        if other.document.model is None:
            continue
        for item in other.document.model.node_package.assets:
            if other.folder == package.folder and item.name == asset:
                continue
            for implementation in item.implementations:
                found |= {implementation.asset_uri, implementation.descriptor_uri}
    return found


def _give_interface(
    edit: ProjectEdit, project: Project, package: Package, asset: str, category: str, graph: str | None
) -> None:
    """Give a package that has no interface for this asset one, and the graph its node, as AWS's tool did."""
    own = package.document.require().node_package.interfaces
    if any(item.asset == asset for item in own):
        return
    bare = [index for index, item in enumerate(own) if not item.asset and item.category == category]
    path = package.document.path
    try:
        if bare:
            edit.write(path, set_value(edit.read(path), ("nodePackage", "interfaces", bare[0], "asset"), asset))
            return
        interface = {
            "name": f"{asset}_interface",
            "category": category,
            "asset": asset,
            "inputs": [{"name": "video_in", "type": "media"}],
            "outputs": [{"name": "video_out", "type": "media"}],
        }
        edit.write(path, append_item(edit.read(path), ("nodePackage", "interfaces"), interface))
    except (JsonTextError, ValueError) as error:
        raise not_json(path, project.root, error) from error
    interfaces = {**interfaces_of(project), f"{package.name}.{interface['name']}": interface}
    changes = GraphEdit(edit, graph_path(project, graph), interfaces)
    account = package.account or own_account(project)
    changes.add_package(f"{account}::{package.name}", package.version)
    node = changes.free_name(asset if category == "ml_model" else f"{asset}_node", f"{asset}_node_2")
    changes.add_node({"name": node, "interface": f"{account}::{package.name}.{interface['name']}"})
    changes.connect()
