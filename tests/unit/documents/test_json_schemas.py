"""Schemas for editors: tidy, explained, and of one mind with the reader."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from vedette.documents.json_schema import SCHEMAS, json_schema, text_of
from vedette.documents.models import DocumentModel
from vedette.resources import examples_dir

VERSION = {"envelopeVersion": "2021-01-01"}
ENTRY = {"path": "python3", "name": "/panorama/a.py"}
PATTERNS = {
    "graph": "graphs/*/graph.json",
    "override": "graphs/*/override*.json",
    "package": "packages/*/package.json",
    "descriptor": "packages/*/descriptor.json",
}


def models(model: type[DocumentModel]) -> Iterator[type[DocumentModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from models(subclass)


def validator(kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json_schema(kind))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schema_is_no_schema_or_untidy(kind: str) -> None:
    schema = json_schema(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    text = json.dumps(schema)
    for unwanted in ('"null"', "$defs", '"ge"', '"le"', "``", "default_factory"):
        assert unwanted not in text
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    used = {part.split('"')[0] for part in text.split('"#/definitions/')[1:]}
    assert used == set(schema["definitions"])


@pytest.mark.parametrize("model", list(models(DocumentModel)), ids=lambda model: model.__name__)
def test_key_has_no_description(model: type[DocumentModel]) -> None:
    assert [key for key, text in text_of(model).items() if not text] == []


@pytest.mark.parametrize("kind", PATTERNS)
def test_example_is_refused(kind: str) -> None:
    documents = list(examples_dir().glob(f"*/{PATTERNS[kind]}"))
    assert documents
    for path in documents:
        validator(kind).validate(json.loads(path.read_text()))


REFUSED: list[tuple[str, Any]] = [
    ("graph", {"nodeGraph": {**VERSION, "packages": [], "nodes": [], "edges": None}}),
    ("graph", {"nodeGraph": {**VERSION, "packages": [], "nodes": [], "$schema": "x"}}),
    ("graph", {"nodeGraph": {**VERSION, "packages": [], "nodes": [{"name": "n", "interface": "int32", "value": "1"}]}}),
    ("override", {"nodeGraphOverrides": {**VERSION, "nodeOverrides": [{"replace": "x"}]}}),
    ("package", {"nodePackage": VERSION}),
    ("descriptor", {}),
    ("descriptor", {"runtimeDescriptor": {**VERSION, "entry": {"path": "python3"}}}),
    ("descriptor", {"mlModelDescriptor": {**VERSION, "framework": "KERAS", "inputs": []}}),
    ("package-override", {"nodePackageOverrides": {}}),
]
ACCEPTED: list[tuple[str, Any]] = [
    ("graph", {"nodeGraph": {**VERSION, "packages": [], "nodes": []}}),
    ("override", {"nodeGraphOverrides": VERSION}),
    ("package", {"nodePackage": {**VERSION, "interfaces": []}}),
    ("descriptor", {"runtimeDescriptor": {**VERSION, "entry": ENTRY}}),
    ("descriptor", {"mlModelDescriptor": {**VERSION, "framework": "ONNX", "inputs": [{"name": "x", "shape": [1.0]}]}}),
    ("package-override", {"nodePackageOverrides": VERSION}),
]


@pytest.mark.parametrize(("kind", "document"), REFUSED)
def test_wrong_document_is_accepted(kind: str, document: Any) -> None:
    assert not validator(kind).is_valid(document)


@pytest.mark.parametrize(("kind", "document"), ACCEPTED)
def test_right_document_is_refused(kind: str, document: Any) -> None:
    validator(kind).validate(document)
