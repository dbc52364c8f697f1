"""Puts project, overrides, cameras and settings together."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from vedette.application import CameraAttachment, MediaInput, MediaOutput, PortRoute
from vedette.documents.application import (
    ModelUnit,
    ResolvedApplication,
    ResolvedCode,
    ResolvedModel,
    ResolvedParameter,
)
from vedette.documents.document import Document
from vedette.documents.findings import Finding, errors, general
from vedette.documents.models import GraphDocument, MediaInputPort, OverrideDocument
from vedette.documents.project import Package, Project
from vedette.documents.resolution.cameras import resolve_cameras
from vedette.documents.resolution.code import resolve_code, wants_gpu
from vedette.documents.resolution.models import ConvertModel, ModelFinder
from vedette.documents.resolution.overriding import Overriding, read_overrides
from vedette.documents.resolution.parameters import check_settings, resolve_parameters
from vedette.documents.resolution.placed import NodeKind, PlacedNode, place_nodes
from vedette.documents.resolution.routing import OpenedPort, resolve_routes
from vedette.documents.resolution.wiring import PlacedEdge, Wiring, wire
from vedette.messages import CameraSource

_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass
class Parts:
    """What an application is resolved from, as far as it could be read: also where there are errors."""

    graph: Document[GraphDocument]
    nodes: Mapping[str, PlacedNode] = field(default_factory=dict)
    """Nodes of the graph."""
    overriding: Overriding = field(default_factory=Overriding)
    edges: tuple[PlacedEdge, ...] = ()
    code: PlacedNode | None = None
    """The code node of the graph, implemented by its override if it has one."""
    resolved_code: ResolvedCode | None = None
    wiring: Wiring = field(default_factory=Wiring)
    parameters: tuple[ResolvedParameter, ...] = ()
    cameras: Mapping[str, tuple[CameraAttachment, ...]] = field(default_factory=dict)
    given_cameras: frozenset[str] = frozenset()
    """Camera nodes that sources were given for."""
    models: tuple[ResolvedModel, ...] = ()
    routes: tuple[PortRoute, ...] = ()
    gpu: bool = False


@dataclass(frozen=True)
class Resolution:
    """The application, or None where ``findings`` has an error."""

    application: ResolvedApplication | None
    findings: tuple[Finding, ...]
    parts: Parts | None = None
    """None where there is no graph that can be read."""


def default_instance(project: Project) -> str:
    """Return an instance name made of the name of the project's folder."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", project.name).strip("-._")[:100]
    return name or "application"


def resolve(
    project: Project,
    overrides: Sequence[Path] = (),
    cameras: Mapping[str, Sequence[CameraSource]] | None = None,
    settings: Mapping[str, object] | None = None,
    instance: str | None = None,
    *,
    graph: str | None = None,
    opened: Sequence[OpenedPort] = (),
    registered: Mapping[str, CameraSource] = MappingProxyType({}),
    complete: bool = True,
    convert: ConvertModel | None = None,
) -> Resolution:
    """Resolve one application of ``project``.

    :param overrides: override documents, applied in order
    :param cameras: camera node (of the graph or of an override) -> sources; their URLs may carry credentials
    :param settings: parameter node -> value; text is read as the parameter's type
    :param instance: name of the instance; the folder's name where None
    :param graph: name of the graph's folder or path of its file; the first where None
    :param opened: ports that are open beside those that an override opens
    :param registered: cameras by the names under which override documents know them, ``<account>::NAME.NAME``
    :param complete: False to check a project without what only a deployment says (cameras, mandatory overrides)
    :param convert: turns models of other frameworks into ONNX; without it they are an error
    """
    findings: list[Finding] = list(project.project_findings)
    chosen = project.graph(graph)
    if isinstance(chosen, Finding):
        return _result(None, [*findings, chosen])
    read = [project.override(path.absolute()) for path in overrides]
    for document in (chosen.document, *read):
        findings += document.findings
        if document.model is None and not errors(document.findings):
            hint = "replace what is in {braces}"
            findings.append(general("V048", "the document is a template", hint, file=document.file))
    instance = default_instance(project) if instance is None else instance
    if not _INSTANCE.fullmatch(instance):
        message = f'instance name "{instance[:60]}" cannot be used'
        findings.append(general("V071", message, "expected at most 100 letters, digits, '-', '_' or '.'"))
    if chosen.document.model is None:
        return _result(None, findings)
    resolver = _Resolver(project, chosen.document, read, findings, opened, registered, convert)
    application = resolver.run(cameras or {}, settings or {}, instance, complete=complete)
    return _result(application, findings, resolver.parts)


def _result(application: ResolvedApplication | None, findings: list[Finding], parts: Parts | None = None) -> Resolution:
    unique = tuple(sorted(set(findings)))
    return Resolution(None if errors(unique) else application, unique, parts)


class _Resolver:
    def __init__(
        self,
        project: Project,
        graph: Document[GraphDocument],
        overrides: list[Document[OverrideDocument]],
        findings: list[Finding],
        opened: Sequence[OpenedPort],
        registered: Mapping[str, CameraSource],
        convert: ConvertModel | None,
    ) -> None:
        self._opened = opened
        self._registered = registered
        self._convert = convert
        self._project = project
        self._graph = graph
        self._content = graph.require().node_graph
        self._overrides = overrides
        self._findings = findings
        self.parts = Parts(graph)

    def run(
        self,
        cameras: Mapping[str, Sequence[CameraSource]],
        settings: Mapping[str, object],
        instance: str,
        *,
        complete: bool,
    ) -> ResolvedApplication | None:
        placed = place_nodes(self._graph, "nodeGraph", self._content.nodes, self._content.packages, self._project)
        self._findings += placed.findings
        nodes = placed.by_name
        overriding = read_overrides(self._overrides, nodes, self._project)
        self._findings += overriding.findings
        parts, edges = self.parts, self._edges()
        parts.nodes, parts.overriding, parts.edges = nodes, overriding, tuple(edges)
        code = self._code_node(nodes)
        if code is None:
            return None
        wiring = wire(edges, {**overriding.added, **nodes}, nodes[code.name])
        self._findings += wiring.findings
        self._findings += check_settings(settings, nodes, wiring.parameters)
        implementing = self._implementing(code, overriding)
        parameters = resolve_parameters(
            implementing, wiring.parameters, overriding, settings, self._findings, complete=complete
        )
        attached = resolve_cameras(wiring.cameras, nodes, overriding, cameras, self._registered, complete=complete)
        self._findings += attached.findings
        models, units, gpu = self._models(nodes, overriding)
        resolved_code = resolve_code(implementing, self._project, self._findings)
        routes, confirmed = resolve_routes(
            self._graph, self._overrides, code, self._opened, self._findings, complete=complete
        )
        gpu = gpu or wants_gpu(implementing)
        parts.code, parts.resolved_code, parts.wiring = implementing, resolved_code, wiring
        parts.parameters, parts.models, parts.routes, parts.gpu = tuple(parameters), tuple(models), routes, gpu
        parts.cameras, parts.given_cameras = attached.attached, frozenset(cameras)
        if resolved_code is None or implementing.interface is None:
            return None
        media = [port for port in implementing.interface.inputs if isinstance(port, MediaInputPort)]
        return ResolvedApplication(
            name=default_instance(self._project),
            instance=instance,
            description=self._content.description,
            code=resolved_code,
            media_inputs=tuple(
                MediaInput(port=port.name, nodes=[node.name for node in wiring.cameras.get(port.name, [])])
                for port in media
            ),
            parameters=tuple(parameters),
            outputs=tuple(
                MediaOutput(
                    port=port.name, node=wiring.outputs[port.name].name if port.name in wiring.outputs else None
                )
                for port in implementing.interface.outputs
            ),
            models=tuple(models),
            model_units=tuple(units),
            cameras=attached.attached,
            routes=confirmed,
            gpu=gpu,
            secrets=attached.secrets,
        )

    def _edges(self) -> list[PlacedEdge]:
        found = [PlacedEdge(edge, self._graph, "nodeGraph", i) for i, edge in enumerate(self._content.edges)]
        for document in self._overrides:
            edges = document.model.node_graph_overrides.edges if document.model is not None else []
            found += [PlacedEdge(edge, document, "nodeGraphOverrides", i) for i, edge in enumerate(edges)]
        return found

    def _code_node(self, nodes: Mapping[str, PlacedNode]) -> PlacedNode | None:
        code = [node for node in nodes.values() if node.kind is NodeKind.CODE]
        for extra in code[1:]:
            message = f'is a second code node beside "{code[0].name}": an application has one'
            self._findings.append(extra.finding("V029", message, at="interface"))
        if not code and not errors(self._findings):
            kinds = "an interface of category business_logic"
            hint = "make its package and node: vedette package new CODE"
            message = f"no node of the graph has {kinds}"
            self._findings.append(self._graph.finding("V028", ("nodeGraph", "nodes"), message, hint, where=False))
        return code[0] if len(code) == 1 else None

    def _implementing(self, node: PlacedNode, overriding: Overriding) -> PlacedNode:
        """Return what stands in the place of ``node``, under its name."""
        replacing = overriding.replaced.get(node.name)
        if not replacing:
            return node
        other = replacing[0]
        renamed = other.node.model_copy(update={"name": node.name})
        return PlacedNode(
            renamed, other.document, other.pointer, other.kind, other.package, other.interface, other.system
        )

    def _models(
        self, nodes: Mapping[str, PlacedNode], overriding: Overriding
    ) -> tuple[list[ResolvedModel], list[ModelUnit], bool]:
        models: list[ResolvedModel] = []
        packages: dict[Path, Package] = {}
        units: dict[tuple[Path, str], ModelUnit] = {}
        gpu = False
        for node in nodes.values():
            if node.kind is not NodeKind.MODEL:
                continue
            implementing = self._implementing(node, overriding)
            package, interface = implementing.package, implementing.interface
            if package is None or interface is None:
                continue
            gpu = gpu or wants_gpu(implementing)
            unit = units.get((package.folder, interface.name))
            if unit is None:
                found: list[Finding] = []
                unit = ModelFinder(self._project, package, self._convert).find(interface, found)
                self._findings += found
            if unit is not None:
                packages[package.folder] = package
                units[package.folder, interface.name] = unit
                models.append(ResolvedModel(node.name, unit))
        for package in packages.values():
            self._add_unused(package, units)
        return models, list(units.values()), gpu

    def _add_unused(self, package: Package, units: dict[tuple[Path, str], ModelUnit]) -> None:
        """Add the package's other models: its component is the same whichever of them an application uses."""
        for interface in package.document.require().node_package.interfaces:
            if interface.category == "ml_model" and (package.folder, interface.name) not in units:
                ignored: list[Finding] = []
                unit = ModelFinder(self._project, package, self._convert).find(interface, ignored)
                if unit is not None:
                    units[package.folder, interface.name] = unit
