"""Reading an operation's JSON request, as the Java nucleus's deserializer does: it converts between scalars.

Source: aws-iot-device-sdk-java-v2 ``EventStreamRPCServiceModel.java`` (Gson, whose adapter of texts takes numbers and
booleans, and whose adapters of numbers and booleans take texts).
"""

import base64
import binascii
import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from vedette.nucleus.ipc.errors import UnparsableRequest

__all__ = ["binary", "flag", "integer", "mapping", "number", "parse", "text", "texts"]


def _float(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse(payload: bytes, *, integers_as_floats: bool = False) -> dict[str, Any]:
    """Return the request object; UnparsableRequest when the payload is none.

    :param integers_as_floats: read every number as a double, as the Java nucleus does in free-form objects (1 -> 1.0)
    """
    try:
        request = json.loads(
            payload.decode(),
            parse_int=_float if integers_as_floats else None,
            parse_float=_float,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise UnparsableRequest(f"request is not JSON: {type(error).__name__}") from error
    if not isinstance(request, dict):
        raise UnparsableRequest(f"request is {type(request).__name__}, expected an object")
    return request


def _wrong(key: str, value: object, expected: str) -> UnparsableRequest:
    return UnparsableRequest(f"{key} is {type(value).__name__}, expected {expected}")


def _as_text(value: object) -> str | None:
    """Return a scalar as a text, None for an object or a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else None


def text(request: dict[str, Any], key: str) -> str | None:
    """Return a string, None when absent; a number or boolean comes as its text."""
    value = request.get(key)
    if value is None:
        return None
    found = _as_text(value)
    if found is None:
        raise _wrong(key, value, "a string")
    return found


def texts(request: dict[str, Any], key: str) -> Sequence[str]:
    """Return a list of strings, empty when absent."""
    value = request.get(key)
    if value is None:
        return ()
    found = [_as_text(item) for item in value] if isinstance(value, list) else [None]
    if None in found:
        raise _wrong(key, value, "a list of strings")
    return [item for item in found if item is not None]


def number(request: dict[str, Any], key: str) -> float | None:
    """Return a number, None when absent."""
    value = request.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _wrong(key, value, "a number")
    try:
        return _float(value) if isinstance(value, str) else float(value)
    except ValueError as error:
        raise _wrong(key, value, "a number") from error


def integer(request: dict[str, Any], key: str) -> int | None:
    """Return an integer, None when absent."""
    value = number(request, key)
    if value is not None and not value.is_integer():
        raise _wrong(key, value, "an integer")
    return None if value is None else int(value)


def flag(request: dict[str, Any], key: str) -> bool:
    """Return a boolean, False when absent."""
    value = request.get(key)
    if isinstance(value, str):
        return value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return bool(value)


def mapping(request: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Return an object, None when absent."""
    value = request.get(key)
    if value is not None and not isinstance(value, dict):
        raise _wrong(key, value, "an object")
    return value


def binary(request: dict[str, Any], key: str) -> bytes | None:
    """Return the bytes of a base64 string, None when absent."""
    value = text(request, key)
    if value is None:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnparsableRequest(f"{key} is not base64") from error
