"""Every document that the models can write reads back equal: documents are made up from the models' own schemas."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vedette.documents.document import parse_document
from vedette.documents.findings import errors
from vedette.documents.models import (
    DescriptorDocument,
    DocumentModel,
    GraphDocument,
    OverrideDocument,
    PackageDocument,
    PackageOverridesDocument,
)

MODELS: list[type[DocumentModel]] = [
    GraphDocument,
    OverrideDocument,
    PackageDocument,
    PackageOverridesDocument,
    DescriptorDocument,
]
INTEGERS = st.integers(-(2**53), 2**53)


class Documents:
    """Makes strategies of a JSON schema, as pydantic writes it."""

    def __init__(self, model: type[DocumentModel]) -> None:
        self.schema = model.model_json_schema()
        self.made: dict[str, st.SearchStrategy[Any]] = {}

    def strategy(self, schema: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
        schema = self.schema if schema is None else schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in self.made:
                self.made[name] = self.strategy(self.schema["$defs"][name])
            return self.made[name]
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                # None stands for what is left out, and is refused where it is written.
                return st.one_of(*(self.strategy(one) for one in schema[key] if one.get("type") != "null"))
        return self._of_type(schema)

    def _of_type(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return st.lists(self.strategy(schema.get("items", {})), max_size=min(schema.get("maxItems", 3), 3))
        if kind == "string":
            return self._text(schema)
        if kind == "integer":
            low, high = schema.get("minimum", -(2**53)), schema.get("maximum", 2**53)
            return st.integers(low, high)
        if kind == "number":
            return st.one_of(INTEGERS, st.floats(allow_nan=False, allow_infinity=False))
        if kind == "boolean":
            return st.booleans()
        return st.one_of(st.none(), st.booleans(), INTEGERS, st.text(max_size=5))

    @staticmethod
    def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
        low, high = schema.get("minLength", 0), schema.get("maxLength", 255)
        if "pattern" not in schema:
            letters = st.characters(codec="utf-8")
            return st.text(letters, min_size=low, max_size=min(high, 12)) | st.text("é", min_size=high, max_size=high)
        pattern = schema["pattern"].removesuffix("$") + r"\Z"
        return st.from_regex(pattern).filter(lambda text: low <= len(text) <= high)

    def _object(self, schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        required = set(schema.get("required", ()))
        fields = {name: self.strategy(value) for name, value in schema.get("properties", {}).items()}
        return st.fixed_dictionaries(
            {name: fields[name] for name in fields if name in required},
            optional={name: fields[name] for name in fields if name not in required},
        )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_document_does_not_read_back_as_it_was_written(model: type[DocumentModel]) -> None:
    accepted = 0

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(Documents(model).strategy())
    def check(document: dict[str, Any]) -> None:
        nonlocal accepted
        read = parse_document(json.dumps(document), Path("x.json"), "x.json")
        assume(not errors(read.findings) and read.model is not None)
        accepted += 1
        written = read.require().document()
        assert written == document
        again = parse_document(json.dumps(written, indent=4, ensure_ascii=False) + "\n", Path("x.json"), "x.json")
        assert again.model == read.model
        assert again.require().document() == written
        assert type(read.require()).model_validate(written) == read.model

    check()
    assert accepted >= 50, "too few made-up documents are good to show anything"
