"""The picture as plain data for JSON."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from vedette.diagram.picture import Picture


def as_document(picture: Picture) -> dict[str, Any]:
    """Return the picture as JSON values; keys are the names of its fields, values None where nothing is known."""
    document = _plain(picture)
    assert isinstance(document, dict)  # noqa: S101 - a dataclass
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
