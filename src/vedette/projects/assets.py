"""Checks the files that the packages of a project name in ``assets/``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.documents.document import shown_path
from vedette.documents.files import is_inside
from vedette.documents.model_files import sha256_of
from vedette.documents.models.package import Implementation
from vedette.documents.project import Package, Project

_HASHED: Final = re.compile(r"([0-9a-f]{64})(?:\.[a-z0-9.]+)?")


@dataclass(frozen=True)
class AssetProblem:
    """Something about an asset; ``wrong`` where its content is not what its name says or it cannot be read."""

    place: str
    message: str
    wrong: bool = False


def check_assets(project: Project) -> tuple[int, list[AssetProblem]]:
    """Return how many asset files are there and are what they are named, and what is missing or wrong."""
    good = 0
    problems: list[AssetProblem] = []
    for package in project.packages:
        if package.document.model is None:
            continue
        for asset in package.document.model.node_package.assets:
            for implementation in asset.implementations:
                if implementation.type == "system":
                    continue  # a part of the appliance, not a file
                for uri in filter(None, (implementation.asset_uri, implementation.descriptor_uri)):
                    problem = _check(project, package, asset.name, implementation, uri)
                    good += problem is None
                    problems += [problem] if problem is not None else []
    return good, problems


def _check(
    project: Project, package: Package, asset: str, implementation: Implementation, uri: str
) -> AssetProblem | None:
    place = package.document.file
    path = project.assets / uri
    if not is_inside(path, project.assets) or not is_inside(path, project.root):
        return AssetProblem(place, f"asset {asset}: {uri} leads out of assets/", wrong=True)
    if not path.is_file():
        missing = f"asset {asset}: {shown_path(path, project.root)} is not there"
        instead = _instead(package, implementation, uri)
        return None if instead == "" else AssetProblem(place, f"{missing}; {instead}")
    named = _HASHED.fullmatch(path.name)
    if named is None:
        return None
    try:
        digest = sha256_of(path)
    except OSError as error:
        return AssetProblem(place, f"asset {asset}: {path.name} cannot be read: {error.strerror}", wrong=True)
    if digest == named[1]:
        return None
    return AssetProblem(
        place, f"asset {asset}: {path.name} has the hash {digest[:12]}..., it was changed or damaged", wrong=True
    )


def _instead(package: Package, implementation: Implementation, uri: str) -> str:
    """Return what stands in for a file that is missing; nothing where it is all that is needed."""
    if uri == implementation.descriptor_uri and uri != implementation.asset_uri:
        named = _HASHED.fullmatch(uri)
        own = package.folder / "descriptor.json"
        if named is not None and own.is_file() and is_inside(own, package.folder) and sha256_of(own) == named[1]:
            return ""
        return "descriptor.json of the package stands in for it" if own.is_file() else "the package has no other"
    if implementation.type == "model":
        found = [path.name for path in sorted(package.folder.iterdir()) if path.suffix.lower() in {".onnx", ".tflite"}]
        return f"{found[0]} of the package stands in for it" if found else "calls of this model will fail"
    sources = _has_sources(package.folder)
    return "the package's sources stand in for it" if sources else "the package has no sources either"


def _has_sources(folder: Path) -> bool:
    return (folder / "src").is_dir() or (folder / "Dockerfile").is_file() or any(folder.glob("*.py"))
