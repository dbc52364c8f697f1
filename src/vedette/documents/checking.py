"""Checks a parsed document against its model and turns what pydantic finds into findings with places."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vedette.documents.findings import Finding
from vedette.documents.json_text import JsonText, Pointer, Span
from vedette.documents.labels import label
from vedette.documents.models import DocumentModel
from vedette.documents.suggestions import did_you_mean
from vedette.documents.tolerances import deviations
from vedette.redaction import redact

Place = Callable[[Span, str, str, str], Finding]
"""Makes a finding of (place in the text, code, message, hint)."""

MAX_FINDINGS: Final = 200
_EXPECTED: Final = {
    "string_type": "text",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
}
_JSON_NAMES: Final = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
_PLACEHOLDER: Final = re.compile(r"\{\{?\s*\w[\w.]*\s*\}")
_SECRET_WORDS: Final = ("pass", "user", "secret", "token", "key")


def check(tree: JsonText, model: type[DocumentModel], at: Place) -> tuple[DocumentModel | None, list[Finding]]:
    """Return the document's model (None where it has errors) and the findings."""
    findings = [
        at(tree.span((kind, *pointer)), "V030", f"{_prefix(tree, (kind, *_parent(pointer)))}{message}", "")
        for kind, content in tree.value.items()
        for pointer, message in deviations(kind, content)
    ]
    try:
        return model.model_validate(tree.value), findings
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_FINDINGS]
        if all(_is_placeholder(item) for item in details):
            pointer = _steps(details[0])
            message = (
                f"{_prefix(tree, pointer)}{_shown(_value(tree, pointer))} is a placeholder: the document is a template"
            )
            return None, [*findings, at(tree.span(pointer), "V030", message, "replace what is in {braces} to use it")]
        return None, findings + [_finding(tree, item, at) for item in details]


def _is_placeholder(error: ErrorDetails) -> bool:
    """Projects carry templates with names such as ``{YourCameraName}_node`` or ``{{cookiecutter.node_name}}``."""
    text = error["input"]
    return error["type"] == "string_pattern_mismatch" and isinstance(text, str) and bool(_PLACEHOLDER.search(text))


def _steps(error: ErrorDetails) -> Pointer:
    return tuple(step for step in error["loc"] if not _is_tag(step))


def _finding(tree: JsonText, error: ErrorDetails, at: Place) -> Finding:
    pointer = _steps(error)
    kind = error["type"]
    if kind in {"missing", "union_tag_not_found"} or (
        kind == "union_tag_invalid" and "type" not in _object(tree, pointer)
    ):
        key = str(pointer[-1]) if kind == "missing" else "type"
        parent = pointer[:-1] if kind == "missing" else pointer
        return at(tree.span(parent), "V010", f'{_prefix(tree, parent)}key "{key}" is missing', "")
    if kind == "extra_forbidden":
        parent, key = pointer[:-1], str(pointer[-1])
        hint = did_you_mean(key, _keys_of_all(DocumentModel) - set(_object(tree, parent)))
        return at(tree.span(pointer, key=True), "V011", f'{_prefix(tree, parent)}unknown key "{key[:60]}"', hint)
    if kind == "union_tag_invalid":
        pointer = (*pointer, "type")
    value = _value(tree, pointer)
    code, message = _words(error, value, hidden=is_secret(tree, pointer))
    return at(tree.span(pointer), code, f"{_prefix(tree, pointer)}{message}", "")


def _words(error: ErrorDetails, value: Any, *, hidden: bool) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    shown = "the value" if hidden else _shown(value)
    if kind in _EXPECTED:
        return "V013", f"expected {_EXPECTED[kind]}, found {_JSON_NAMES.get(type(value), 'a number')}"
    if kind == "value_error":
        return "V014", str(context.get("error", "is not allowed"))
    if kind in {"literal_error", "union_tag_invalid"}:
        allowed = context.get("expected") or str(context.get("expected_tags", "")).replace("<", "").replace(">", "")
        return "V014", f"{shown} is not allowed: expected {allowed}".replace("'", '"')
    if kind == "string_pattern_mismatch":
        return "V014", f"{shown} is not allowed: it does not match {context.get('pattern')}"
    limits = {
        "string_too_short": ("min_length", "at least {} characters"),
        "string_too_long": ("max_length", "at most {} characters"),
        "too_long": ("max_length", "at most {} items"),
        "greater_than_equal": ("ge", "at least {}"),
        "less_than_equal": ("le", "at most {}"),
    }
    if kind in limits:
        key, text = limits[kind]
        return "V014", f"{shown} is not allowed: expected {text.format(context.get(key))}"
    return "V014", f"{shown} is not allowed: {error['msg'].lower()}"


def _prefix(tree: JsonText, pointer: Pointer) -> str:
    name = label(tree.value, pointer)
    return f"{name}: " if name else ""


def _parent(pointer: Pointer) -> Pointer:
    return pointer if pointer and isinstance(pointer[-1], int) else pointer[:-1]


def _is_tag(step: str | int) -> bool:
    # Tags of unions are written <tag> in the models, which no key of a model is.
    return isinstance(step, str) and step.startswith("<") and step.endswith(">")


def _value(tree: JsonText, pointer: Pointer) -> Any:
    value = tree.value
    for step in pointer:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _object(tree: JsonText, pointer: Pointer) -> dict[str, Any]:
    value = _value(tree, pointer)
    return value if isinstance(value, dict) else {}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "the value"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    text = redact(text)
    return text if len(text) <= 60 else text[:57] + '..."'


def is_secret(tree: JsonText, pointer: Pointer) -> bool:
    """Tell whether the value may be a credential: the default of an input that is named like one."""
    names = [str(pointer[-1]) if pointer else "", str(_object(tree, pointer[:-1]).get("name", ""))]
    return any(word in name.lower() for name in names for word in _SECRET_WORDS)


def _keys_of_all(model: type[DocumentModel]) -> set[str]:
    return set(_all_keys(model))


def _all_keys(model: type[DocumentModel]) -> Iterator[str]:
    for field_name, field in model.model_fields.items():
        yield field.alias or field_name
    for subclass in model.__subclasses__():
        yield from _all_keys(subclass)
