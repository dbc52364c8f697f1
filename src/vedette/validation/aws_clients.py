"""Which services of AWS an application's sources make clients of. Nothing of them is run."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.documents.code_files import CodeFiles
from vedette.documents.document import shown_path
from vedette.validation.source_files import python_sources

_MAKERS: Final = frozenset({"client", "resource", "create_client"})
"""Of boto3, its sessions, botocore's and aiobotocore's."""
_LIBRARY: Final = re.compile(rb"\b(?:boto3|botocore|aioboto3|aiobotocore)\b")
_SESSION: Final = re.compile(r"boto|session", re.IGNORECASE)
_SERVICE: Final = re.compile(r"[a-z][a-z0-9-]{1,60}")
_MQTT: Final = ("awsiot", "AWSIoTPythonSDK")
"""AWS IoT's own libraries: they speak to its data plane."""


@dataclass(frozen=True, order=True)
class AwsClient:
    """One place where a client is made."""

    service: str
    """boto3's name of the service; empty where the source does not say it in plain words."""
    file: str
    """Relative to the project."""
    line: int


def aws_clients(files: CodeFiles, root: Path) -> list[AwsClient]:
    """Return every place where a client of AWS is made, by service; sources that Python cannot read have none."""
    found: set[AwsClient] = set()
    for file, source in python_sources(files):
        boto = _LIBRARY.search(source) is not None
        if not boto and not any(name.encode() in source for name in _MQTT):
            continue
        tree = _parsed(source)
        if tree is not None:
            shown = shown_path(file.source, root)
            found.update(AwsClient(service, shown, line) for service, line in _clients(tree, boto=boto))
    return sorted(found)


def _parsed(source: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None  # validation says so


def _clients(tree: ast.Module, *, boto: bool) -> Iterator[tuple[str, int]]:
    named = dict(_constants(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            if any(name.partition(".")[0] in _MQTT for name in names):
                yield "iot-data", node.lineno
        elif boto and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MAKERS:
            given = next((k.value for k in node.keywords if k.arg == "service_name"), None) or next(
                iter(node.args), None
            )
            if given is not None:
                service = _text(given, named)
                if service is not None and _SERVICE.fullmatch(service):
                    yield service, node.lineno
                elif service is None and _SESSION.search(ast.unparse(node.func.value)):
                    yield "", node.lineno


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((target.id, node.value.value) for target in node.targets if isinstance(target, ast.Name))


def _text(given: ast.expr, named: Mapping[str, str]) -> str | None:
    if isinstance(given, ast.Constant):
        return given.value if isinstance(given.value, str) else None
    return named.get(given.id) if isinstance(given, ast.Name) else None
