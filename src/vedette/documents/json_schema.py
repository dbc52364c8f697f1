"""JSON Schema (draft 07, which editors know best) of the documents, from the models that read them.

A schema accepts exactly what the models accept: AWS's schemas and the deviations known from the field.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vedette.documents.models import (
    DescriptorDocument,
    DocumentModel,
    GraphDocument,
    OverrideDocument,
    PackageDocument,
    PackageOverridesDocument,
)
from vedette.documents.schema_texts import ANY_MODEL, OF_MODEL

SCHEMAS: Final[Mapping[str, tuple[str, type[DocumentModel]]]] = {
    "graph": ("graph.json of an AWS Panorama application", GraphDocument),
    "override": ("Override document of an AWS Panorama application", OverrideDocument),
    "package": ("package.json of an AWS Panorama package", PackageDocument),
    "descriptor": ("descriptor.json of AWS Panorama code or models", DescriptorDocument),
    "package-override": ("Package override document of AWS Panorama", PackageOverridesDocument),
}
"""Kind -> title and model."""

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    # What validators of the models check, which pydantic does not carry over.
    "OtaRequirement": {"anyOf": [{"required": ["minVersion"]}, {"required": ["maxVersion"]}]},
    "HardwareAccessRequirement": {"anyOf": [{"required": ["inferenceAccelerators"]}, {"required": ["nvAccelerators"]}]},
    "RuntimeEntry": {"dependencies": {key: ["name"] for key in ("path", "arguments", "environment")}},
    "DescriptorDocument": {"anyOf": [{"required": ["mlModelDescriptor"]}, {"required": ["runtimeDescriptor"]}]},
}
_LIMITS: Final = {"ge": "minimum", "le": "maximum"}
_PLAIN: Final = (bool, int, float, str)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the schema of one of ``SCHEMAS``.

    :raises KeyError: for another kind
    """
    title, model = SCHEMAS[kind]
    raw = model.model_json_schema(by_alias=True)
    models = {item.__name__: item for item in _all_models(DocumentModel)}
    definitions = {
        name: _described(_tidy(schema), models[name]) for name, schema in sorted(raw.pop("$defs", {}).items())
    }
    root = _described(_tidy(raw), model)
    return {"$schema": _DRAFT, "title": title, **root, "definitions": definitions}


def _all_models(model: type[DocumentModel]) -> Iterator[type[DocumentModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _all_models(subclass)


def _tidy(schema: Any) -> Any:
    """Take out what pydantic writes for itself: titles made of names, null for what may be left out."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options and schema.get("default", 0) is None:
        # The models take no null: a key is there or is left out.
        (only,) = [option for option in options if option != {"type": "null"}]
        schema = {**only, **{key: value for key, value in schema.items() if key not in {"anyOf", "default"}}}
    tidy: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            tidy[key] = {name: _tidy(below) for name, below in value.items()}
        elif key == "$ref":
            tidy[key] = value.replace("#/$defs/", "#/definitions/")
        elif key == "default":
            if isinstance(value, _PLAIN):
                tidy[key] = value
        elif key != "title":
            tidy[_LIMITS.get(key, key)] = _tidy(value)
    return tidy


def _described(schema: dict[str, Any], model: type[DocumentModel]) -> dict[str, Any]:
    texts = text_of(model)
    properties = {name: _with_text(below, texts.get(name, "")) for name, below in schema.get("properties", {}).items()}
    about = " ".join(schema.get("description", "").replace("``", "").split())
    return {**schema, "description": about, "properties": properties, **_RULES.get(model.__name__, {})}


def text_of(model: type[DocumentModel]) -> dict[str, str]:
    """Return what is said of each key of ``model``; a text of the class itself goes before one of its bases."""
    texts = dict(ANY_MODEL)
    for base in reversed(model.__mro__):
        texts |= OF_MODEL.get(base.__name__, {})
    return {field.alias or name: texts.get(field.alias or name, "") for name, field in model.model_fields.items()}


def _with_text(schema: dict[str, Any], text: str) -> dict[str, Any]:
    if "$ref" in schema:  # draft 07 passes over what stands beside a reference
        return {"description": text, "allOf": [schema]}
    return {"description": text, **schema}
