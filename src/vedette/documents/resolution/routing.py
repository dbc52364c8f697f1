"""Ports of the application and the ports of the device that lead to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vedette.application import PortRoute
from vedette.documents.document import Document
from vedette.documents.findings import Finding, general
from vedette.documents.json_text import Pointer
from vedette.documents.models import GraphDocument, NetworkRoutingRule, OverrideDocument
from vedette.documents.resolution.placed import PlacedNode
from vedette.documents.suggestions import did_you_mean

_PANORAMA_PORTS: Final = range(8000, 9001)
_PORTS: Final = range(1, 65536)


@dataclass(frozen=True)
class OpenedPort:
    """A port that whoever deploys opens beside the override: ``[ADDRESS:]HOST[:CONTAINER]``."""

    host_port: int
    container_port: int | None = None
    """None: that of the rule with this host port, or the same number."""
    address: str = ""


def resolve_routes(
    graph: Document[GraphDocument],
    overrides: list[Document[OverrideDocument]],
    code: PlacedNode,
    opened: Sequence[OpenedPort],
    findings: list[Finding],
    *,
    complete: bool,
) -> tuple[tuple[PortRoute, ...], tuple[PortRoute, ...]]:
    """Return every route, and those that are confirmed: by an override, or on the command line.

    A rule of the graph alone opens nothing; one of an override takes its place for the same port of the code. Documents
    open host ports from 8000 to 9000, as Panorama did; any other one is opened by whoever deploys.
    :param complete: whether what confirms a rule would be here
    """
    places: list[tuple[Document[GraphDocument] | Document[OverrideDocument], Pointer, NetworkRoutingRule]] = []
    for index, rule in enumerate(graph.require().node_graph.network_routing_rules):
        places.append((graph, ("nodeGraph", "networkRoutingRules", index), rule))
    for document in overrides:
        rules = document.model.node_graph_overrides.network_routing_rules if document.model is not None else []
        for index, rule in enumerate(rules):
            places.append((document, ("nodeGraphOverrides", "networkRoutingRules", index), rule))
    declared = {item.port for item in code.interface.network.inbound_ports} if code.interface is not None else set()
    routes: dict[int, tuple[PortRoute, Finding]] = {}
    unconfirmed: dict[int, Finding] = {}
    beyond: dict[int, Finding] = {}
    for place, pointer, rule in places:
        number = int(pointer[-1]) + 1

        def finding(code: str, key: str, message: str, hint: str = "") -> Finding:
            return place.finding(code, (*pointer, key), f"routing rule {number}: {message}", hint, where=False)  # noqa: B023 - used within the round

        host = rule.host_port if rule.host_port is not None else rule.container_port
        at = "hostPort" if rule.host_port is not None else "containerPort"
        if rule.node != code.name:
            hint = did_you_mean(rule.node, [code.name], what="code node")
            findings.append(finding("V060", "node", f'"{rule.node}" is not the code node', hint))
            continue
        if host not in _PORTS:
            findings.append(finding("V064", at, f"{host} is no port: expected 1 to 65535"))
            continue
        if rule.container_port not in declared:
            ports = ", ".join(str(port) for port in sorted(declared)) or "none"
            message = f"port {rule.container_port} is not declared by the package"
            findings.append(finding("V061", "containerPort", message, f"inboundPorts: {ports}"))
        beyond.pop(rule.container_port, None)
        if host not in _PANORAMA_PORTS:
            hint = f"choose one of them; whoever deploys may open another one: --open {host}:{rule.container_port}"
            beyond[rule.container_port] = finding("V063", at, f"host port {host}: expected 8000 to 9000", hint)
        route = PortRoute(container_port=rule.container_port, host_port=host)
        routes[rule.container_port] = (route, finding("V062", at, f"host port {host} is taken by another rule"))
        if place is graph:
            message = f"port {rule.container_port} stays closed: only the graph has the rule"
            hint = f"repeat it in the override, or give --open {host}:{rule.container_port}"
            unconfirmed[rule.container_port] = finding("V065", at, message, hint)
        else:
            unconfirmed.pop(rule.container_port, None)
    for container in _open(opened, routes):
        unconfirmed.pop(container, None)
        beyond.pop(container, None)
    findings += beyond.values()
    if complete:
        findings += unconfirmed.values()
    taken: set[int] = set()
    for route, collision in routes.values():
        if route.host_port in taken:
            findings.append(collision)
        taken.add(route.host_port)
    confirmed = (route for container, (route, _) in routes.items() if container not in unconfirmed)
    return tuple(route for route, _ in routes.values()), tuple(confirmed)


def _open(opened: Sequence[OpenedPort], routes: dict[int, tuple[PortRoute, Finding]]) -> list[int]:
    """Put what whoever deploys opens in the place of rules; return the ports of the application that it is about."""
    containers = []
    for each in opened:
        container = each.container_port
        if container is None:
            container = next((c for c, (r, _) in routes.items() if r.host_port == each.host_port), each.host_port)
        route = PortRoute(container_port=container, host_port=each.host_port, address=each.address)
        message = f"--open: host port {each.host_port} is taken by another rule"
        routes[container] = (route, general("V062", message, "give another host port"))
        containers.append(container)
    return containers
