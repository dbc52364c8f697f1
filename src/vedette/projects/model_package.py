"""Puts a converted model into a package of a project, in the place of the one it had."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.documents.document import shown_path
from vedette.documents.model_files import FORMATS
from vedette.documents.models import Interface
from vedette.documents.project import Package, Project
from vedette.documents.resolution.models import FRAME_FILE

_ELEMENT_TYPES: Final = frozenset(
    {"int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32", "float64"}
)


@dataclass(frozen=True)
class ModelPackageChange:
    """What goes into a package."""

    package: Package
    interface: str | None
    """The only ml_model interface where None."""
    model: Path
    suffix: str
    record: Mapping[str, Any]
    """What is known of the conversion; goes beside the model."""
    inputs: Sequence[Mapping[str, Any]]
    """name, dtype, shape; descriptor.json is left where empty."""
    frames: Path | None = None


def put_model(change: ModelPackageChange, project: Project) -> list[str]:
    """Write model, record, descriptor and package.json; return the places that changed, relative to the project.

    The asset that the interface had is taken out of package.json, and out of assets/ where no other package names it:
    a model of an asset goes before one in the folder.

    :raises ValueError: if the package has no such interface
    :raises OSError: if something cannot be written
    """
    interface = _interface(change)
    folder = change.package.folder
    several = len(_models(change.package)) > 1
    stem = interface.name if several else (interface.asset or interface.name)
    target = folder / f"{stem}{change.suffix}"
    changed: list[Path] = []
    for path in sorted(folder.iterdir()):
        other = path.suffix.lower() in FORMATS and path != target and (not several or path.stem == stem)
        if other:
            path.unlink()
            path.with_name(path.name + ".json").unlink(missing_ok=True)
            changed.append(path)
    shutil.copyfile(change.model, target)
    record = target.with_name(target.name + ".json")
    record.write_text(json.dumps(dict(change.record), indent=2) + "\n")
    changed += [target, record]
    changed += _without_asset(change.package, interface, project)
    if change.inputs:
        changed += _describe(change)
    if change.frames is not None and change.frames.resolve() != (folder / FRAME_FILE).resolve():
        shutil.copyfile(change.frames, folder / FRAME_FILE)
        changed.append(folder / FRAME_FILE)
    return [shown_path(path, project.root) for path in changed]


def _models(package: Package) -> list[Interface]:
    return [item for item in package.document.require().node_package.interfaces if item.category == "ml_model"]


def _interface(change: ModelPackageChange) -> Interface:
    found = _models(change.package)
    named = [item for item in found if change.interface in (None, item.name)]
    if len(named) != 1:
        names = ", ".join(item.name for item in found) or "none"
        raise ValueError(f"it has the model interfaces {names}: name one with --interface")
    return named[0]


def _without_asset(package: Package, interface: Interface, project: Project) -> list[Path]:
    path = package.document.path
    document = json.loads(path.read_text(encoding="utf-8"))
    assets = document["nodePackage"].get("assets") or []
    gone = [asset for asset in assets if asset.get("name") == interface.asset]
    if not gone:
        return []
    document["nodePackage"]["assets"] = [asset for asset in assets if asset not in gone]
    path.write_text(json.dumps(document, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    changed = [path]
    used = "".join(
        other.document.path.read_text(encoding="utf-8") for other in project.packages if other.document.path != path
    ) + path.read_text(encoding="utf-8")
    for implementation in (item for asset in gone for item in asset.get("implementations") or []):
        for uri in (implementation.get("assetUri"), implementation.get("descriptorUri")):
            old = project.assets / uri if uri else None
            if old is not None and old.is_file() and old.parent == project.assets and uri not in used:
                old.unlink()
                changed.append(old)
    return changed


def _describe(change: ModelPackageChange) -> list[Path]:
    """Write the inputs into descriptor.json; whatever else it says stays."""
    path = change.package.folder / "descriptor.json"
    document: dict[str, Any] = {"mlModelDescriptor": {"envelopeVersion": "2021-01-01", "framework": "ONNX"}}
    if path.is_file():
        read = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(read, dict) and isinstance(read.get("mlModelDescriptor"), dict):
            document = read
    described = [_described(item) for item in change.inputs]
    if document["mlModelDescriptor"].get("inputs") == described:
        return []
    document["mlModelDescriptor"]["inputs"] = described
    path.write_text(json.dumps(document, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path]


def _described(item: Mapping[str, Any]) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else 1 for size in item["shape"]]
    described: dict[str, Any] = {"name": item["name"], "shape": shape}
    if item.get("dtype") in _ELEMENT_TYPES and item["dtype"] != "float32":
        described["type"] = item["dtype"]
    return described
