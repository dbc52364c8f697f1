"""From HTTP requests to operations and back, by the service models that come with botocore."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from vedette.cloud_stand_in.errors import ValidationError


@dataclass(frozen=True)
class Request:
    """One call of an operation, checked against its model."""

    operation: str
    arguments: Mapping[str, Any]


class Routes:
    """The operations of one service."""

    def __init__(self, service: str) -> None:
        """Read botocore's model of ``service``."""
        import botocore.session

        self._model = botocore.session.get_session().get_service_model(service)
        self._routes: list[tuple[str, re.Pattern[str], str]] = []
        for name in self._model.operation_names:
            http = self._model.operation_model(name).http
            path, _, _ = http["requestUri"].partition("?")
            pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", path)
            self._routes.append((http["method"], re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)), name))
        # Of two that fit, the one with more fixed text is meant.
        self._routes.sort(key=lambda route: (route[1].groups, -len(route[1].pattern)))

    def operation(self, method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
        """Return the operation's name and what stands in the path; None if there is none."""
        for verb, pattern, name in self._routes:
            if verb == method and (match := pattern.fullmatch(path)):
                return name, {key: unquote(value) for key, value in match.groupdict().items()}
        return None

    def request(self, name: str, in_path: Mapping[str, str], query: str, body: bytes) -> Request:
        """Read and check a request.

        :raises ValidationError: if it breaks the service model
        """
        shape = self._model.operation_model(name).input_shape
        if shape is None:
            return Request(name, {})
        try:
            content = json.loads(body) if body else {}
        except ValueError as error:
            raise ValidationError("the body is not JSON") from error
        asked = {key: values if len(values) > 1 else values[0] for key, values in parse_qs(query).items()}
        arguments: dict[str, Any] = {}
        for member, member_shape in shape.members.items():
            location = member_shape.serialization.get("location")
            source: Mapping[str, Any] = content
            if location in {"uri", "querystring"}:
                source = in_path if location == "uri" else asked
            key = member_shape.serialization.get("name", member)
            if key in source:
                value = source[key]
                if member_shape.type_name == "list" and location == "querystring" and not isinstance(value, list):
                    value = [value]
                arguments[member] = _read(member_shape, value, of_text=location is not None)
        _check(shape, arguments, "")
        return Request(name, arguments)

    def answer(self, name: str, result: Mapping[str, Any]) -> tuple[int, bytes]:
        """Return status and body of an answer; keys that the model does not have are refused."""
        operation = self._model.operation_model(name)
        status = int(operation.http.get("responseCode", 200))
        if status == 204:
            return status, b""  # a body would be read as the beginning of the next answer
        if operation.output_shape is None:
            return status, b"{}"
        unknown = result.keys() - operation.output_shape.members.keys()
        if unknown:
            raise AssertionError(f"{name} has no {sorted(unknown)} in its answer")
        return status, json.dumps(result, default=_as_json).encode()


def _read(shape: Any, value: Any, *, of_text: bool) -> Any:
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if of_text and shape.type_name in {"integer", "long"}:
        return int(value)
    if of_text and shape.type_name == "boolean":
        return value == "true"
    return value


def _check(shape: Any, value: Any, place: str) -> None:
    """Check a value against its shape.

    :raises ValidationError: naming the place
    """
    kind = shape.type_name
    expected: dict[str, type | tuple[type, ...]] = {
        "structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
        "double": (int, float), "blob": bytes,
    }  # fmt: skip
    if kind in expected and not isinstance(value, expected[kind]):
        raise ValidationError(f"{place or 'request'} must be a {kind}, not {type(value).__name__}")
    facts = shape.metadata
    size = len(value) if isinstance(value, (str, bytes, list, dict)) else value
    if isinstance(size, (int, float)) and not isinstance(value, bool):
        if "min" in facts and size < facts["min"]:
            raise ValidationError(f"{place} must be at least {facts['min']}")
        if "max" in facts and size > facts["max"]:
            raise ValidationError(f"{place} must be at most {facts['max']}")
    if "pattern" in facts and isinstance(value, str) and not _fits(facts["pattern"], value):
        raise ValidationError(f"{place} must satisfy {facts['pattern']}")
    if "enum" in facts and value not in facts["enum"]:
        raise ValidationError(f"{place} must be one of {facts['enum']}")
    if kind == "structure":
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise ValidationError(f"{place or 'request'} has no member {min(unknown)}")
        for required in shape.required_members:
            if required not in value:
                raise ValidationError(f"{place or 'request'} lacks {required}")
        for key, member in value.items():
            _check(shape.members[key], member, f"{place}.{key}" if place else key)
    elif kind == "list":
        for number, member in enumerate(value):
            _check(shape.member, member, f"{place}[{number}]")
    elif kind == "map":
        for key, member in value.items():
            _check(shape.key, key, f"{place} key")
            _check(shape.value, member, f"{place}.{key}")


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # some models use \\p{...}, which only Java's regular expressions have
        return True


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
