"""Makes the picture of what a resolution found, also of one with errors."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from vedette.application import InboundPort, Launch, Origin, ParameterType
from vedette.diagram.picture import (
    Camera,
    CameraNode,
    CodeNode,
    Edge,
    LooseEnd,
    ModelNode,
    OtherNode,
    OutputNode,
    ParameterNode,
    Picture,
    Port,
)
from vedette.documents import Parts, Project, ResolvedParameter, default_instance
from vedette.documents.document import shown_path
from vedette.documents.models import InterfaceNode, MlModelDescriptor
from vedette.documents.resolution.placed import NodeKind, PlacedNode
from vedette.messages import Tensor
from vedette.redaction import redact

_TYPES: Final[dict[str, ParameterType]] = {"int32": "int32", "float32": "float32", "boolean": "boolean"}
_SECRET: Final = re.compile(r"(?i)passw|secret|token|credential|api_?key")


def picture_of(parts: Parts, project: Project, overrides: Sequence[Path] = ()) -> Picture:
    """Return the picture of the application that ``parts`` were resolved from.

    :param overrides: the override documents that were applied
    """
    edges = [_edge(placed.edge.producer, placed.edge.consumer) for placed in parts.edges]
    code = _code(parts, project, edges)
    kinds: dict[NodeKind, list[PlacedNode]] = {}
    for node in parts.nodes.values():
        kinds.setdefault(node.kind, []).append(node)
    return Picture(
        name=default_instance(project),
        graph=parts.graph.file,
        overrides=[shown_path(path.absolute(), project.root) for path in overrides],
        description=parts.graph.require().node_graph.description,
        code=code,
        models=[_model(node, parts) for node in kinds.get(NodeKind.MODEL, [])],
        cameras=[_camera(node, parts) for node in kinds.get(NodeKind.CAMERA, [])],
        outputs=[_output(node) for node in kinds.get(NodeKind.OUTPUT, [])],
        parameters=[_parameter(node, parts) for node in kinds.get(NodeKind.PARAMETER, [])],
        others=[OtherNode(node.name, node.node.interface) for node in _others(parts, kinds)],
        edges=edges,
        routes=parts.routes,
        loose=list(_loose(parts, code, edges)),
    )


def _others(parts: Parts, kinds: dict[NodeKind, list[PlacedNode]]) -> list[PlacedNode]:
    """Return nodes of unknown kind; with no or several code nodes, these too."""
    codes = [] if parts.code is not None else kinds.get(NodeKind.CODE, [])
    return [*kinds.get(NodeKind.UNKNOWN, []), *codes]


def _edge(producer: str, consumer: str) -> Edge:
    source, _, out = producer.partition(".")
    target, _, into = consumer.partition(".")
    return Edge(source, out, target, into)


def _code(parts: Parts, project: Project, edges: Iterable[Edge]) -> CodeNode | None:
    node = parts.code
    if node is None or node.interface is None or node.package is None:
        return None
    inputs = {edge.consumer_port for edge in edges if edge.consumer == node.name}
    outputs = {edge.producer_port for edge in edges if edge.producer == node.name}
    resolved = parts.resolved_code
    requirements = resolved.files.requirements if resolved is not None else None
    declared = node.interface.network.inbound_ports
    return CodeNode(
        name=node.name,
        title=node.node.decorator.title,
        package=node.package.name,
        version=node.package.version,
        command=" ".join(resolved.entry.argv()) if resolved is not None else "",
        files=len(resolved.files.files) if resolved is not None else 0,
        requirements=shown_path(requirements, project.root) if requirements is not None else "",
        gpu=parts.gpu,
        inputs=[Port(p.name, p.type, p.description, p.name in inputs) for p in node.interface.inputs],
        outputs=[Port(p.name, p.type, p.description, p.name in outputs) for p in node.interface.outputs],
        inbound_ports=[InboundPort(port=item.port, description=item.description) for item in declared],
    )


def _model(node: PlacedNode, parts: Parts) -> ModelNode:
    resolved = next((model for model in parts.models if model.node == node.name), None)
    implementing = parts.overriding.replaced.get(node.name, [node])[0]
    package = implementing.package
    descriptor = _descriptor(implementing)
    inputs: Sequence[Tensor] = ()
    if resolved is not None:
        inputs = resolved.unit.inputs
    elif descriptor is not None:
        inputs = [Tensor(name=item.name, dtype=item.type, shape=list(item.shape)) for item in descriptor.inputs]
    return ModelNode(
        name=node.name,
        title=node.node.decorator.title,
        package=package.name if package is not None else "",
        version=package.version if package is not None else "",
        interface=implementing.interface.name if implementing.interface is not None else "",
        file=resolved.unit.file.name if resolved is not None else "",
        format=resolved.unit.format if resolved is not None else "",
        framework=descriptor.framework if descriptor is not None else "",
        precision=descriptor.precision_mode if descriptor is not None else "",
        inputs=inputs,
    )


def _descriptor(node: PlacedNode) -> MlModelDescriptor | None:
    document = node.package.descriptor if node.package is not None else None
    return document.model.ml_model_descriptor if document is not None and document.model is not None else None


def _camera(node: PlacedNode, parts: Parts) -> CameraNode:
    replacing = parts.overriding.replaced.get(node.name)
    attached = parts.cameras.get(node.name, ())
    cameras = [Camera(item.name, redact(item.url), item.launch, item.secret is not None) for item in attached]
    given = node.name in parts.given_cameras
    known = {camera.name for camera in cameras} | parts.given_cameras
    if not given:
        # Registered with Panorama: only a deployment knows the address.
        abstract = [] if replacing is None else [other for other in replacing if other.name not in known]
        cameras += [Camera(other.name, "", _launch(other), login=False) for other in abstract]
    origin: Origin = "graph" if replacing is None else "override"
    place = _place(node if replacing is None else replacing[0], "interface")
    if given or any(other.name in parts.given_cameras for other in replacing or ()):
        origin, place = "deployment", "--camera"
    decorator = node.node.decorator
    mandatory = node.node.override_mandatory
    return CameraNode(node.name, decorator.title, decorator.description, mandatory, cameras, origin, place)


def _launch(node: PlacedNode) -> Launch:
    return node.node.launch if isinstance(node.node, InterfaceNode) else "onAppStart"


def _output(node: PlacedNode) -> OutputNode:
    return OutputNode(node.name, node.node.decorator.title, node.node.interface)


def _parameter(node: PlacedNode, parts: Parts) -> ParameterNode:
    resolved = next((item for item in parts.parameters if item.input.node == node.name), None)
    kind = _TYPES.get(node.node.interface, "string")
    default = None if isinstance(node.node, InterfaceNode) else node.node.value
    value = default if resolved is None else resolved.value
    origin: Origin = "graph" if resolved is None else resolved.origin
    if _SECRET.search(node.name):
        value = default = None
    decorator = node.node.decorator
    return ParameterNode(
        name=node.name,
        title=decorator.title,
        description=decorator.description,
        type=kind,
        value=redact(value) if isinstance(value, str) else value,
        default=redact(default) if isinstance(default, str) else default,
        origin=origin,
        place=_value_place(node, resolved, parts),
        overridable=node.node.overridable,
        mandatory=node.node.override_mandatory,
        constraint=decorator.constraint_text or decorator.constraint_regex,
    )


def _value_place(node: PlacedNode, resolved: ResolvedParameter | None, parts: Parts) -> str:
    if resolved is not None and resolved.origin == "deployment":
        return "--set"
    if resolved is not None and resolved.origin == "override":
        return _place(parts.overriding.replaced[node.name][0], "value")
    return _place(node, "value")


def _place(node: PlacedNode, key: str) -> str:
    return node.document.place((*node.pointer, key))


def _loose(parts: Parts, code: CodeNode | None, edges: Sequence[Edge]) -> Iterable[LooseEnd]:
    if code is not None:
        yield from (LooseEnd("input", f"{code.name}.{port.name}") for port in code.inputs if not port.connected)
        yield from (LooseEnd("output", f"{code.name}.{port.name}") for port in code.outputs if not port.connected)
    joined = {edge.producer for edge in edges} | {edge.consumer for edge in edges}
    for node in parts.nodes.values():
        if node.name not in joined and node.kind not in {NodeKind.MODEL, NodeKind.CODE}:
            yield LooseEnd("node", node.name)
