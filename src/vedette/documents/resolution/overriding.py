"""Overrides: which nodes stand in the place of which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vedette.documents.document import Document
from vedette.documents.findings import Finding
from vedette.documents.models import NodeOverride, OverrideDocument
from vedette.documents.project import Project
from vedette.documents.resolution.placed import NodeKind, PlacedNode, place_nodes
from vedette.documents.suggestions import did_you_mean


@dataclass
class Overriding:
    """What the override documents say."""

    replaced: dict[str, list[PlacedNode]] = field(default_factory=dict)
    """Node of the graph -> nodes in its place."""
    added: dict[str, PlacedNode] = field(default_factory=dict)
    """Nodes that override documents define."""
    findings: list[Finding] = field(default_factory=list)


def read_overrides(
    documents: Sequence[Document[OverrideDocument]], graph: Mapping[str, PlacedNode], project: Project
) -> Overriding:
    """Apply the override documents in order; a later one replaces what an earlier one said of the same node."""
    result = Overriding()
    for document in documents:
        if document.model is None:
            continue
        content = document.model.node_graph_overrides
        placed = place_nodes(document, "nodeGraphOverrides", content.nodes, content.packages, project)
        result.findings += placed.findings
        result.added |= placed.by_name
        seen: set[str] = set()
        for index, override in enumerate(content.node_overrides):
            place = _Place(document, index, override)
            if override.replace in seen:
                result.findings.append(place.finding("V047", f'"{override.replace}" is replaced twice'))
                continue
            seen.add(override.replace)
            nodes = _replacing(place, graph, placed.by_name, result.findings)
            if nodes:
                result.replaced[override.replace] = nodes
    return result


@dataclass(frozen=True)
class _Place:
    document: Document[OverrideDocument]
    index: int
    override: NodeOverride

    def finding(self, code: str, message: str, hint: str = "", *below: str | int) -> Finding:
        pointer = ("nodeGraphOverrides", "nodeOverrides", self.index, *(below or ("replace",)))
        return self.document.finding(code, pointer, f"override {self.index + 1}: {message}", hint, where=False)


def _replacing(
    place: _Place, graph: Mapping[str, PlacedNode], defined: Mapping[str, PlacedNode], findings: list[Finding]
) -> list[PlacedNode]:
    override = place.override
    target = graph.get(override.replace)
    if target is None:
        hint = did_you_mean(override.replace, graph, what="nodes")
        findings.append(place.finding("V040", f'the graph has no node "{override.replace}"', hint))
        return []
    if not target.node.overridable:
        hint = f'set "overridable": true on the node in {target.document.file}'
        findings.append(place.finding("V041", f'node "{target.name}" is not overridable', hint))
    several = target.kind is NodeKind.CAMERA
    count = len(override.with_)
    if count == 0 or (count > 1 and not several):
        wanted = "at least one node" if several else "exactly one node"
        findings.append(
            place.finding("V045", f'"{target.name}" is replaced by {count} nodes: expected {wanted}', "", "with")
        )
        return []
    nodes: list[PlacedNode] = []
    for index, replacement in enumerate(override.with_):
        node = defined.get(replacement.name)
        if node is None:
            hint = did_you_mean(replacement.name, defined, what="nodes of this document")
            message = f'the document defines no node "{replacement.name}"'
            findings.append(place.finding("V044", message, hint, "with", index, "name"))
        elif node in nodes:
            findings.append(place.finding("V047", f'"{node.name}" is named twice', "", "with", index, "name"))
        elif problem := _unfit(target, node):
            findings.append(node.finding("V043", problem, at="interface"))
        else:
            nodes.append(node)
    return nodes


def _unfit(target: PlacedNode, node: PlacedNode) -> str:
    if target.kind is NodeKind.PARAMETER or node.kind is NodeKind.PARAMETER:
        if target.node.interface == node.node.interface:
            return ""
        return f'is of type {node.node.interface}, but replaces "{target.name}" of type {target.node.interface}'
    unknown = NodeKind.UNKNOWN in {target.kind, node.kind}  # said already
    if target.kind is node.kind or unknown:
        return ""
    return f'is a {node.kind.value} node, but replaces the {target.kind.value} node "{target.name}"'
