"""Edges: what is connected to which port of the code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vedette.documents.findings import Finding
from vedette.documents.models import Edge, MediaInputPort
from vedette.documents.resolution.placed import AnyGraph, NodeKind, PlacedNode
from vedette.documents.suggestions import did_you_mean


@dataclass
class Wiring:
    """What edges connect to the code node."""

    cameras: dict[str, list[PlacedNode]] = field(default_factory=dict)
    """Media input port -> camera nodes."""
    parameters: dict[str, PlacedNode] = field(default_factory=dict)
    """Parameter port -> parameter node."""
    outputs: dict[str, PlacedNode] = field(default_factory=dict)
    """Output port -> output node."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class PlacedEdge:
    """An edge of a graph or override document."""

    edge: Edge
    document: AnyGraph
    root: str
    index: int

    def finding(self, code: str, end: str, message: str, hint: str = "") -> Finding:
        """Return a finding about one end: ``producer`` or ``consumer``."""
        text = self.edge.producer if end == "producer" else self.edge.consumer
        place = (self.root, "edges", self.index, end)
        return self.document.finding(
            code, place, f'edge {self.index + 1}: {end} "{text}": {message}', hint, where=False
        )


@dataclass(frozen=True)
class _End:
    node: PlacedNode
    port: str
    type: str | None
    """None: a registered camera, whose ports are not known."""


_INTO_CODE: Final = {NodeKind.CAMERA, NodeKind.PARAMETER}


def wire(edges: list[PlacedEdge], nodes: Mapping[str, PlacedNode], code: PlacedNode) -> Wiring:
    """Connect the ports of ``code``. ``nodes`` are those of the graph and those that overrides add."""
    wiring = Wiring()
    for edge in edges:
        producer = _end(edge, "producer", nodes, wiring.findings)
        consumer = _end(edge, "consumer", nodes, wiring.findings)
        if producer is not None and consumer is not None:
            _connect(edge, producer, consumer, code, wiring)
    return wiring


def _end(edge: PlacedEdge, end: str, nodes: Mapping[str, PlacedNode], findings: list[Finding]) -> _End | None:
    text = edge.edge.producer if end == "producer" else edge.edge.consumer
    name, _, port = text.partition(".")
    node = nodes.get(name)
    if node is None:
        hint = did_you_mean(name, nodes, what="nodes")
        findings.append(edge.finding("V015", end, f'the graph has no node "{name}"', hint))
        return None
    if node.kind is NodeKind.PARAMETER:
        if end == "consumer":
            findings.append(edge.finding("V016", end, f'"{name}" is a parameter, which takes no input'))
            return None
        if port:
            findings.append(
                edge.finding("V012", end, f'"{name}" is a parameter, which has no ports', f'write "{name}"')
            )
            return None
        return _End(node, "", node.node.interface)
    if node.kind is NodeKind.UNKNOWN:
        return None  # said already
    ports = node.ports(inputs=end == "consumer")
    what = "input" if end == "consumer" else "output"
    if not port:
        known = f"{what}s: {', '.join(ports)}" if ports else ""
        findings.append(edge.finding("V012", end, f"names no {what}: expected {name}.<{what}>", known))
        return None
    if ports is None:
        return _End(node, port, None)
    if port not in ports:
        owner = f"package {node.package.name}" if node.package is not None else node.node.interface
        hint = did_you_mean(port, ports, what=f"{what}s")
        findings.append(edge.finding("V012", end, f'{owner} has no {what} "{port}"', hint))
        return None
    return _End(node, port, ports[port])


def _connect(edge: PlacedEdge, producer: _End, consumer: _End, code: PlacedNode, wiring: Wiring) -> None:
    if producer.type is not None and consumer.type is not None and producer.type != consumer.type:
        message = f'takes {consumer.type}, but "{edge.edge.producer}" gives {producer.type}'
        wiring.findings.append(edge.finding("V016", "consumer", message))
    elif consumer.node is code and producer.node.kind in _INTO_CODE:
        _into_code(edge, producer, consumer, wiring)
    elif producer.node is code and consumer.node.kind is NodeKind.OUTPUT:
        if producer.port in wiring.outputs:
            message = f'is connected to "{wiring.outputs[producer.port].name}" already: this edge is left out'
            wiring.findings.append(edge.finding("V019", "producer", message))
        else:
            wiring.outputs[producer.port] = consumer.node
    else:
        kinds = f"a {producer.node.kind.value} node to a {consumer.node.kind.value} node"
        hint = "models are reached by node.call(), pictures are shown by the code's output.put()"
        wiring.findings.append(edge.finding("V019", "producer", f"an edge from {kinds} has no effect", hint))


def _into_code(edge: PlacedEdge, producer: _End, consumer: _End, wiring: Wiring) -> None:
    port = consumer.port
    if producer.node.kind is NodeKind.PARAMETER:
        other = wiring.parameters.get(port)
        if other is not None:
            message = f'has a provider already, "{other.name}"'
            wiring.findings.append(edge.finding("V017", "consumer", message, "remove one of the edges"))
        else:
            wiring.parameters[port] = producer.node
        return
    attached = wiring.cameras.setdefault(port, [])
    interface = consumer.node.interface
    declared = next((item for item in interface.inputs if item.name == port), None) if interface else None
    limit = declared.max_connections if isinstance(declared, MediaInputPort) else 0
    if producer.node in attached:
        wiring.findings.append(edge.finding("V017", "consumer", f'is connected to "{producer.node.name}" twice'))
    elif limit and len(attached) >= limit:
        wiring.findings.append(edge.finding("V017", "consumer", f"takes at most {limit} connections"))
    else:
        attached.append(producer.node)
