"""Documents hold whatever somebody wrote: nothing of it may steer a terminal or break a line of a drawing."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel

from vedette.documents.snippets import printable

T = TypeVar("T")


def cleaned(value: T) -> T:
    """Return ``value`` with each text in it made printable, on one line."""
    result: Any = _cleaned(value)
    return result  # type: ignore[no-any-return]


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(" ".join(value.split()))
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _cleaned(getattr(value, name)) for name in type(value).model_fields})
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _cleaned(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, Sequence):
        return [_cleaned(item) for item in value]
    return value
