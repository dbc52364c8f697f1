"""A Panorama project on disk: ``graphs/*/*.json``, ``packages/<account>-<NAME>-<version>/``, ``assets/``.

Account ids are read past everywhere: the placeholder 123456789012, real ones and mixed ones are all the same project.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vedette.documents.asset_facts import AssetFacts
from vedette.documents.document import Document, parsed_as, read_document, shown_path
from vedette.documents.files import is_inside
from vedette.documents.findings import Finding, general
from vedette.documents.models import (
    DescriptorDocument,
    DocumentModel,
    GraphDocument,
    OverrideDocument,
    PackageDocument,
)

_MAX_FILES: Final = 1000
_DESCRIPTORS: Final = ("mlModelDescriptor", "runtimeDescriptor")
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class Graph:
    """A graph.json, named by its folder."""

    name: str
    document: Document[GraphDocument]


@dataclass(frozen=True)
class Package:
    """A folder of packages/. Name and version are the folder's, as AWS's tools have it."""

    name: str
    version: str
    account: str
    folder: Path
    document: Document[PackageDocument]
    descriptor: Document[DescriptorDocument] | None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Project:
    """Everything that was found. ``findings`` are those about the project itself; documents have their own."""

    root: Path
    graphs: tuple[Graph, ...]
    overrides: tuple[Document[OverrideDocument], ...]
    packages: tuple[Package, ...]
    others: tuple[Document[DocumentModel], ...] = ()
    """Documents in graphs/ that could not be read, or are of a kind that has no place there."""
    project_findings: tuple[Finding, ...] = field(default=())
    facts: AssetFacts = field(default_factory=AssetFacts, compare=False, repr=False)
    """What is known of the files in assets/."""

    @property
    def name(self) -> str:
        """Return the name of the project's folder."""
        return self.root.name

    @property
    def assets(self) -> Path:
        """Return the folder of assets."""
        return self.root / "assets"

    def documents(self) -> list[Document[DocumentModel]]:
        """Return every document that was read."""
        found: list[Document[DocumentModel]] = [graph.document for graph in self.graphs]
        found += self.overrides
        for package in self.packages:
            found.append(package.document)
            if package.descriptor is not None:
                found.append(package.descriptor)
        return found + list(self.others)

    def findings(self) -> list[Finding]:
        """Return the findings about the project and each of its documents, by place."""
        return sorted({*self.project_findings, *(f for document in self.documents() for f in document.findings)})

    def graph(self, name: str | None = None) -> Graph | Finding:
        """Return the graph of that name (its folder's or its file's), or the first; a finding where there is none.

        Of several documents in one folder, graph.json is the first.
        """
        ordered = sorted(self.graphs, key=lambda graph: (graph.name, graph.document.path.name != "graph.json"))
        if name is None:
            if ordered:
                return ordered[0]
            broken = [document for document in self.others if document.path.name == "graph.json"]
            return next((item for document in broken for item in document.findings), _no_graph(self.root))
        for graph in ordered:
            if name in {graph.name, f"{graph.name}/{graph.document.path.name}", graph.document.file}:
                return graph
        known = ", ".join(graph.document.file for graph in ordered) or "none"
        return general("V027", f'project has no graph "{name[:60]}"', f"graphs: {known}")

    def override(self, path: Path) -> Document[OverrideDocument]:
        """Read an override document from anywhere."""
        for document in self.overrides:
            if document.path == path:
                return document
        # A file that was named on the command line may lie anywhere, so its own folder bounds it.
        shown_from = self.root if is_inside(path, self.root) else path.parent
        read = read_document(path, shown_from, expected=("nodeGraphOverrides",))
        return parsed_as(read, OverrideDocument)


def load_project(path: Path, facts: AssetFacts | None = None) -> Project:
    """Read the project in the folder ``path``. Never raises for what is in it: see the findings.

    :param facts: what is known of asset files from before; read anew where None
    """
    root = path.absolute()
    graphs: list[Graph] = []
    overrides: list[Document[OverrideDocument]] = []
    others: list[Document[DocumentModel]] = []
    for file in _files(root / "graphs", "*/*.json"):
        document = read_document(file, root)
        if document.kind == "nodeGraph":
            graphs.append(Graph(file.parent.name, parsed_as(document, GraphDocument)))
        elif document.kind == "nodeGraphOverrides":
            overrides.append(parsed_as(document, OverrideDocument))
        elif document.kind or not _foreign(document):
            others.append(document)
    unreadable = any(document.path.name == "graph.json" for document in others)
    found = [] if graphs or unreadable else [_no_graph(root)]
    packages = _packages(root, found)
    known = AssetFacts() if facts is None else facts
    return Project(root, tuple(graphs), tuple(overrides), tuple(packages), tuple(others), tuple(found), known)


def _foreign(document: Document[DocumentModel]) -> bool:
    """Tell whether a file beside graph.json is JSON that nothing suggests to be Panorama's: users keep notes there."""
    codes = {finding.code for finding in document.findings}
    return codes == {"V009"} and not any(finding.hint for finding in document.findings)


def _no_graph(root: Path) -> Finding:
    if not root.is_dir():
        return general(
            "V001", f"{root} is not a folder: expected a Panorama project, a folder with graphs/ and packages/"
        )
    message = f"{root.name}/ has no graph: expected graphs/<name>/graph.json with the key nodeGraph"
    return general("V025", message, "run it in the folder that holds graphs/, packages/ and assets/")


def _packages(root: Path, found: list[Finding]) -> list[Package]:
    packages: list[Package] = []
    seen: dict[tuple[str, str], Package] = {}
    for file in _files(root / "packages", "*/package.json"):
        document = parsed_as(read_document(file, root, expected=("nodePackage",)), PackageDocument)
        account, name, version = _folder_parts(file.parent.name, document)
        if not name:
            message = f"the folder's name {file.parent.name} gives no package name"
            hint = "name it <account>-<NAME>-<version>, as 123456789012-SAMPLE_CODE-1.0"
            found.append(general("V070", message, hint, file=shown_path(file.parent, root)))
            continue
        descriptor_file = file.parent / "descriptor.json"
        descriptor = None
        if descriptor_file.exists() or descriptor_file.is_symlink():
            read = read_document(descriptor_file, root, expected=_DESCRIPTORS)
            descriptor = parsed_as(read, DescriptorDocument)
        package = Package(name, version, account, file.parent, document, descriptor)
        first = seen.setdefault((name, version), package)
        if first is not package:
            message = f"package {package} is there twice, also in {shown_path(first.folder, root)}"
            found.append(
                general("V026", message, "the one whose account id the graph has is taken", file=document.file)
            )
        packages.append(package)
    return packages


def _folder_parts(folder: str, document: Document[PackageDocument]) -> tuple[str, str, str]:
    """Return account, name and version: of the folder, else of the document."""
    parts = folder.split("-")
    if len(parts) >= 3 and _VERSION.fullmatch(parts[-1]):
        return parts[0], "-".join(parts[1:-1]), parts[-1]
    if document.model is None:
        return "", "", ""
    package = document.model.node_package
    return "", package.name, package.version or "1.0"


def _files(folder: Path, pattern: str) -> Sequence[Path]:
    try:
        return sorted(_first(folder.glob(pattern), _MAX_FILES))
    except OSError:
        return []


def _first(paths: Iterable[Path], count: int) -> Iterable[Path]:
    for number, path in enumerate(paths):
        if number >= count:
            return
        yield path
