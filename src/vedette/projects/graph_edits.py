"""Adds packages, nodes and edges to a graph.json."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vedette.documents.document import shown_path
from vedette.documents.json_text import JsonTextError, read_json
from vedette.documents.project import Project
from vedette.documents.resolution.placed import SYSTEM, NodeKind
from vedette.projects.editing import ProjectEdit, not_json
from vedette.projects.errors import ProjectError
from vedette.projects.text_edits import append_item

_NODE_NAME: Final = re.compile(r"[$A-Z_a-z0-9-]{1,128}")
_CATEGORIES: Final = {NodeKind.CAMERA: "media_source", NodeKind.OUTPUT: "media_sink"}


def graph_path(project: Project, name: str | None) -> Path:
    """Return the graph that is to be changed.

    :raises ProjectError: if there is none, or it cannot be told
    """
    from vedette.documents import Finding

    graph = project.graph(name)
    if isinstance(graph, Finding):
        raise ProjectError(graph.message, graph.hint or None)
    return graph.document.path


class GraphEdit:
    """Changes of one graph in ``edit``; ``interfaces`` are those of all packages, ``<PACKAGE>.<interface>``."""

    def __init__(self, edit: ProjectEdit, path: Path, interfaces: Mapping[str, Mapping[str, Any]]) -> None:
        self._edit = edit
        self._path = path
        self._interfaces = interfaces

    def nodes(self) -> list[Mapping[str, Any]]:
        """Return the graph's nodes as they stand there."""
        return [node for node in self._list("nodes") if isinstance(node, dict)]

    def kinds(self, category: str) -> list[Mapping[str, Any]]:
        """Return the nodes whose interface is of a category."""
        return [node for node in self.nodes() if self._category(node) == category]

    def add_package(self, name: str, version: str) -> None:
        """Add ``<account>::<NAME>`` to the list of packages, unless it is there."""
        bare = name.partition("::")[2]
        system = name.startswith("panorama::")
        for package in self._list("packages"):
            known = str(package.get("name")) if isinstance(package, dict) else ""
            if known.partition("::")[2] == bare and known.startswith("panorama::") == system:
                return
        self._append("packages", {"name": name, "version": version})

    def add_node(self, node: Mapping[str, Any]) -> None:
        """Add a node.

        :raises ProjectError: if its name cannot be one, or there is one of that name
        """
        name = str(node["name"])
        if not _NODE_NAME.fullmatch(name):
            raise ProjectError(
                f"`{name[:80]}` cannot name a node: expected at most 128 letters, digits, -, _ and $",
            )
        if any(item.get("name") == name for item in self.nodes()):
            raise ProjectError(
                f"{shown_path(self._path, self._edit.root)} has a node `{name}` already", "choose another name"
            )
        self._append("nodes", dict(node))
        self._edit.said.append(("node", f"{name} ({node['interface']})"))

    def free_name(self, *names: str) -> str:
        """Return the first of ``names`` that no node has, or the last."""
        taken = {item.get("name") for item in self.nodes()}
        return next((name for name in names if name not in taken), names[-1])

    def connect(self) -> None:
        """Join cameras and outputs that nothing is joined to with the code, where there is one way to do it."""
        codes = self.kinds("business_logic")
        if len(codes) != 1:
            return
        code = str(codes[0]["name"])
        edges = [edge for edge in self._list("edges") if isinstance(edge, dict)]
        producers = {str(edge.get("producer")).partition(".")[0] for edge in edges}
        consumers = {str(edge.get("consumer")).partition(".")[0] for edge in edges}
        inputs, outputs = self._media(codes[0], "inputs"), self._media(codes[0], "outputs")
        for node in self.kinds("media_source"):
            ports = self._media(node, "outputs")
            if node["name"] not in producers and len(inputs) == len(ports) == 1:
                self._edge(f"{node['name']}.{ports[0]}", f"{code}.{inputs[0]}")
        for node in self.kinds("media_sink"):
            ports = self._media(node, "inputs")
            if node["name"] not in consumers and len(outputs) == len(ports) == 1:
                self._edge(f"{code}.{outputs[0]}", f"{node['name']}.{ports[0]}")

    def _edge(self, producer: str, consumer: str) -> None:
        self._append("edges", {"producer": producer, "consumer": consumer})
        self._edit.said.append(("edge", f"{producer} -> {consumer}"))

    def _category(self, node: Mapping[str, Any]) -> str:
        account, _, name = str(node.get("interface")).partition("::")
        if account == "panorama":
            system = SYSTEM.get(name)
            return _CATEGORIES.get(system.kind, "") if system is not None else ""
        return str(self._interfaces.get(name, {}).get("category", ""))

    def _media(self, node: Mapping[str, Any], side: str) -> list[str]:
        account, _, name = str(node.get("interface")).partition("::")
        if account == "panorama":
            system = SYSTEM.get(name)
            wanted = NodeKind.OUTPUT if side == "inputs" else NodeKind.CAMERA
            return [system.port] if system is not None and system.kind is wanted else []
        ports = self._interfaces.get(name, {}).get(side, [])
        return [str(port["name"]) for port in ports if port.get("type") == "media"]

    def _list(self, key: str) -> list[Any]:
        try:
            value = read_json(self._edit.read(self._path)).value["nodeGraph"].get(key, [])
        except (JsonTextError, KeyError, TypeError, AttributeError) as error:
            raise not_json(self._path, self._edit.root, error) from error
        return value if isinstance(value, list) else []

    def _append(self, key: str, item: Mapping[str, Any]) -> None:
        try:
            self._edit.write(self._path, append_item(self._edit.read(self._path), ("nodeGraph", key), item))
        except (JsonTextError, ValueError) as error:
            raise not_json(self._path, self._edit.root, error) from error


def interfaces_of(project: Project) -> dict[str, dict[str, Any]]:
    """Return the interfaces of the project's packages, by ``<PACKAGE>.<interface>``."""
    found: dict[str, dict[str, Any]] = {}
    for package in project.packages:
        if package.document.model is not None:
            for interface in package.document.model.node_package.interfaces:
                found[f"{package.name}.{interface.name}"] = interface.document()
    return found
