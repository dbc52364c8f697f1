"""Says in words where in a document something stands: ``node "detection_threshold"``, ``edge 3``."""

from collections.abc import Mapping
from typing import Any, Final

from vedette.documents.json_text import Pointer

_SINGULAR: Final[Mapping[str, str]] = {
    "packages": "package",
    "nodes": "node",
    "edges": "edge",
    "networkRoutingRules": "routing rule",
    "nodeOverrides": "override",
    "with": "replacement",
    "assets": "asset",
    "assetOverrides": "asset",
    "implementations": "implementation",
    "requirements": "requirement",
    "inferenceAccelerators": "accelerator",
    "interfaces": "interface",
    "inputs": "input",
    "outputs": "output",
    "inboundPorts": "inbound port",
    "arguments": "argument",
    "environment": "variable",
    "events": "event",
    "shape": "dimension",
}


def label(document: Any, pointer: Pointer) -> str:
    """Return the way to ``pointer`` in words, without the root key; ``""`` for the root."""
    parts: list[str] = []
    value = document
    for depth, step in enumerate(pointer):
        value = _below(value, step)
        if isinstance(step, int):
            name = value.get("name") if isinstance(value, dict) else None
            shown = f'"{name[:60]}"' if isinstance(name, str) and name else str(step + 1)
            kind = _SINGULAR.get(str(pointer[depth - 1]), "item") if depth else "item"
            parts.append(f"{kind} {shown}")
        elif depth and not isinstance(_below_next(pointer, depth), int):
            parts.append(step[:60])
    return ", ".join(parts)


def _below(value: Any, step: str | int) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _below_next(pointer: Pointer, depth: int) -> str | int | None:
    return pointer[depth + 1] if depth + 1 < len(pointer) else None
