"""Nodes with their place, their package and what kind they are of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from vedette.documents.document import Document
from vedette.documents.findings import Finding
from vedette.documents.json_text import Pointer
from vedette.documents.models import (
    GraphDocument,
    Interface,
    InterfaceNode,
    OverrideDocument,
    PackageInclude,
    ParameterNode,
)
from vedette.documents.project import Package, Project
from vedette.documents.suggestions import did_you_mean


class NodeKind(str, Enum):
    """What a node is."""

    PARAMETER = "parameter"
    CODE = "code"
    MODEL = "model"
    CAMERA = "camera"
    OUTPUT = "output"
    UNKNOWN = "unknown"


_KINDS: Final = {
    "business_logic": NodeKind.CODE,
    "ml_model": NodeKind.MODEL,
    "media_source": NodeKind.CAMERA,
    "media_sink": NodeKind.OUTPUT,
}


class SystemInterface(NamedTuple):
    """An interface that Panorama brought along, and its media port."""

    kind: NodeKind
    port: str


SYSTEM: Final[Mapping[str, SystemInterface]] = {
    "abstract_rtsp_media_source.rtsp_v1_interface": SystemInterface(NodeKind.CAMERA, "video_out"),
    "hdmi_data_sink.hdmi0": SystemInterface(NodeKind.OUTPUT, "video_in"),
}

AnyGraph = Document[GraphDocument] | Document[OverrideDocument]


@dataclass(frozen=True)
class PlacedNode:
    """A node of a graph or override document."""

    node: InterfaceNode | ParameterNode
    document: AnyGraph
    pointer: Pointer
    kind: NodeKind
    package: Package | None = None
    interface: Interface | None = None
    system: SystemInterface | None = None

    @property
    def name(self) -> str:
        """Return the node's name."""
        return self.node.name

    def finding(self, code: str, message: str, hint: str = "", *, at: str = "name") -> Finding:
        """Return a finding about the node, at its key ``at``."""
        return self.document.finding(code, (*self.pointer, at), f'node "{self.name}": {message}', hint, where=False)

    def ports(self, *, inputs: bool) -> dict[str, str] | None:
        """Return port name -> type, or None where any name may be right (a registered camera)."""
        if self.system is not None:
            is_input = self.system.kind is NodeKind.OUTPUT
            return {self.system.port: "media"} if inputs == is_input else {}
        if self.interface is None:
            return None
        return {port.name: port.type for port in (self.interface.inputs if inputs else self.interface.outputs)}


@dataclass
class Nodes:
    """The nodes of one document, by name."""

    by_name: dict[str, PlacedNode] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def place_nodes(
    document: AnyGraph, root: str, nodes: Iterable[Any], packages: Iterable[PackageInclude], project: Project
) -> Nodes:
    """Find package and kind of each node; ``root`` is the document's root key."""
    placed = Nodes()
    included = {include.package: (index, include) for index, include in enumerate(packages)}
    for index, node in enumerate(nodes):
        pointer: Pointer = (root, "nodes", index)
        item = _place(node, document, pointer, included, project, placed.findings)
        if node.name in placed.by_name:
            placed.findings.append(item.finding("V018", "another node has the same name", "give it another name"))
        else:
            placed.by_name[node.name] = item
    return placed


def _place(
    node: InterfaceNode | ParameterNode,
    document: AnyGraph,
    pointer: Pointer,
    included: Mapping[str, tuple[int, PackageInclude]],
    project: Project,
    findings: list[Finding],
) -> PlacedNode:
    if not isinstance(node, InterfaceNode):
        return PlacedNode(node, document, pointer, NodeKind.PARAMETER)
    bare = PlacedNode(node, document, pointer, NodeKind.UNKNOWN)
    if node.package not in included:
        message = f"package {node.package} is not in the list of packages"
        findings.append(
            bare.finding(
                "V024", message, f'add {{"name": "{node.account}::{node.package}", ...}} to packages', at="interface"
            )
        )
    if node.account == "panorama":
        system = SYSTEM.get(f"{node.package}.{node.interface_name}")
        if system is None:
            known = ", ".join(f"panorama::{name}" for name in SYSTEM)
            findings.append(bare.finding("V022", f"{node.interface} is not known", f"known: {known}", at="interface"))
            return bare
        return PlacedNode(node, document, pointer, system.kind, system=system)
    version = included[node.package][1].version if node.package in included else None
    package = _find_package(node, version, project)
    if package is None:
        return _without_package(bare, version, included, project, findings)
    return _with_package(bare, package, findings)


def _find_package(node: InterfaceNode, version: str | None, project: Project) -> Package | None:
    found = [item for item in project.packages if item.name == node.package and version in {None, item.version}]
    found.sort(key=lambda item: item.account != node.account)
    return found[0] if found else None


def _without_package(
    bare: PlacedNode,
    version: str | None,
    included: Mapping[str, tuple[int, PackageInclude]],
    project: Project,
    findings: list[Finding],
) -> PlacedNode:
    node = bare.node
    assert isinstance(node, InterfaceNode)  # noqa: S101 - parameters have no package
    others = sorted(item.version for item in project.packages if item.name == node.package)
    if others:
        pointer = (bare.pointer[0], "packages", included[node.package][0], "version")
        message = f"graph wants {node.package} {version}, packages/ holds {', '.join(others)}"
        findings.append(bare.document.finding("V020", pointer, message, f'set the version to "{others[-1]}"'))
    elif node.package == node.interface_name:
        # Cameras registered with Panorama are packages of this shape that no project holds: <account>::CAM.CAM
        return PlacedNode(node, bare.document, bare.pointer, NodeKind.CAMERA)
    else:
        known = [item.name for item in project.packages]
        hint = did_you_mean(node.package, known, what="packages")
        findings.append(bare.finding("V021", f"package {node.package} is not in packages/", hint, at="interface"))
    return bare


def _with_package(bare: PlacedNode, package: Package, findings: list[Finding]) -> PlacedNode:
    node = bare.node
    assert isinstance(node, InterfaceNode)  # noqa: S101 - parameters have no package
    findings += package.document.findings
    if package.document.model is None:
        return bare
    interfaces = {item.name: item for item in package.document.model.node_package.interfaces}
    interface = interfaces.get(node.interface_name)
    if interface is None:
        hint = did_you_mean(node.interface_name, interfaces, what="interfaces")
        message = f'package {package.name} has no interface "{node.interface_name}"'
        findings.append(bare.finding("V022", message, hint, at="interface"))
        return bare
    kind = _KINDS.get(interface.category or "", NodeKind.UNKNOWN)
    return PlacedNode(node, bare.document, bare.pointer, kind, package, interface)
