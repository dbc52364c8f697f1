"""Deviations from AWS's schemas that real users' documents have: read, and reported as warnings (V030)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from vedette.documents.json_text import Pointer

Deviation = tuple[Pointer, str]


def deviations(kind: str, root: Any) -> Iterator[Deviation]:
    """Yield place and description of each known deviation in the document below its root key ``kind``."""
    check = _CHECKS.get(kind)
    if check is not None and isinstance(root, dict):
        yield from check(root)


def _graph(graph: dict[str, Any]) -> Iterator[Deviation]:
    for key in ("packages", "nodes"):
        if graph.get(key) == []:
            yield (key,), f"{key} is empty: AWS's schema asks for at least one"
    yield from _override(graph)


def _override(graph: dict[str, Any]) -> Iterator[Deviation]:
    for place, node in _items(graph, "nodes"):
        if "description" in node:
            yield (*place, "description"), "node has a \"description\": AWS's schema has only the decorator's"
    for place, item in (*_items(graph, "nodes"), *_items(graph, "networkRoutingRules")):
        decorator = item.get("decorator")
        for key, text in decorator.items() if isinstance(decorator, dict) else ():
            if text == "":
                yield (*place, "decorator", key), f"decorator {key} is empty: leave it out"


def _package(package: dict[str, Any]) -> Iterator[Deviation]:
    if package.get("name") == "":
        yield ("name",), "name is empty: the name of the folder is taken"
    if package.get("interfaces") == []:
        yield ("interfaces",), "interfaces is empty: no node can be made of this package"
    for place, interface in _items(package, "interfaces"):
        if "category" not in interface:
            yield place, "interface has no category"
        for where, port in _items(interface, "inputs"):
            if port.get("type") == "string[]":
                yield (*place, *where, "type"), 'input is of type "string[]", which no schema of AWS knows'
            if "minimum" in port and port.get("type") != "string":
                yield (*place, *where, "minimum"), 'input has "minimum", which no schema of AWS knows'
    yield from _assets(package, "assets")


def _package_overrides(overrides: dict[str, Any]) -> Iterator[Deviation]:
    yield from _assets(overrides, "assetOverrides")


def _assets(package: dict[str, Any], key: str) -> Iterator[Deviation]:
    for place, asset in _items(package, key):
        for where, implementation in _items(asset, "implementations"):
            for at, requirement in _items(implementation, "requirements"):
                if "nvAccelerators" in requirement:
                    yield (
                        (*place, *where, *at, "nvAccelerators"),
                        'requirement has "nvAccelerators" in place of "inferenceAccelerators"',
                    )


def _model(descriptor: dict[str, Any]) -> Iterator[Deviation]:
    framework = descriptor.get("framework")
    if isinstance(framework, str) and framework in {"ONNX", "TFLITE", ""}:
        known = "AWS's schema knows TENSORFLOW, PYTORCH and MXNET"
        yield ("framework",), f'framework is "{framework}": {known}'


def _items(parent: dict[str, Any], key: str) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    items = parent.get(key)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (key, index), item


_CHECKS: Final[dict[str, Callable[[dict[str, Any]], Iterator[Deviation]]]] = {
    "nodeGraph": _graph,
    "nodeGraphOverrides": _override,
    "nodePackage": _package,
    "nodePackageOverrides": _package_overrides,
    "mlModelDescriptor": _model,
}
