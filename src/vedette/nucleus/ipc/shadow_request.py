"""Checks on shadow requests, with the shadow manager's words and codes (its ``Validator``, ``ErrorMessage``)."""

import json
import re
from typing import Any, Final

from vedette.nucleus.ipc.errors import ConflictError, InvalidArgumentsError, IpcRefusal, ServiceError
from vedette.nucleus.shadow_document import SECTIONS, ShadowDocument

__all__ = [
    "MAX_STATE_BYTES",
    "Rejection",
    "check_names",
    "check_size",
    "check_thing",
    "check_version",
    "invalid",
    "parse_update",
]

MAX_STATE_BYTES: Final = 8192
MAX_DEPTH: Final = 6
MAX_CLIENT_TOKEN: Final = 64
_NAME: Final = "[a-zA-Z0-9:_-]+"


class Rejection(Exception):
    """A refused request: the error that answers it, and code and message of the ``rejected`` topic."""

    def __init__(self, refusal: IpcRefusal, code: int, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.code = code
        self.message = message


def invalid(message: str, code: int = 400) -> Rejection:
    """Return the Rejection of a bad request."""
    return Rejection(InvalidArgumentsError(message), code, message)


def check_thing(thing: str | None) -> str:
    """Return the thing's name; Rejection when it is none."""
    if not thing:
        raise invalid("ThingName is missing")
    return _check_name("ThingName", thing, 128)


def check_names(thing: str | None, name: str | None) -> tuple[str, str]:
    """Return thing and shadow name ("" is the classic shadow); Rejection when one of them is none."""
    return check_thing(thing), _check_name("ShadowName", name, 64) if name else ""


def _check_name(what: str, name: str, longest: int) -> str:
    if len(name) > longest:
        raise invalid(f"{what} has a maximum length of {longest}")
    if not re.fullmatch(_NAME, name):
        raise invalid(f"{what} must match pattern {_NAME}")
    return name


def parse_update(payload: bytes) -> dict[str, Any]:
    """Return the update document without ``state.delta``; Rejection when it breaks a rule."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        # As there: text that is no JSON is an internal failure, JSON of another form a bad request.
        raise Rejection(ServiceError("payload is not JSON"), 500, "Internal service failure") from error
    if document is None or document == {}:
        raise invalid("Invalid JSON: ")
    problem = _problem(document)
    if problem:
        raise invalid(f"Invalid JSON: {problem}")
    state: dict[str, Any] | None = document["state"]
    for section in SECTIONS:
        if state and _depth(state.get(section)) > MAX_DEPTH:
            raise invalid(f"JSON contains too many levels of nesting; maximum is {MAX_DEPTH}")
    result: dict[str, Any] = document
    return result


def _problem(document: Any) -> str | None:
    if not isinstance(document, dict):
        return f"{_kind(document)} found, object expected"
    if "state" not in document:
        return "state: is missing but it is required"
    state = document["state"]
    if isinstance(state, dict):
        state.pop("delta", None)
        for section in SECTIONS:
            if not isinstance(state.get(section), (dict, type(None))):
                return f"state.{section}: {_kind(state[section])} found, [object, null] expected"
        if state and not state.keys() & set(SECTIONS):
            return "state: must have desired or reported"
    elif state is not None:
        return f"state: {_kind(state)} found, [object, null] expected"
    return _problem_beside_state(document)


def _problem_beside_state(document: dict[str, Any]) -> str | None:
    token = document.get("clientToken", "")
    if not isinstance(token, str):
        return f"clientToken: {_kind(token)} found, string expected"
    if len(token) > MAX_CLIENT_TOKEN:
        return f"clientToken: may only be {MAX_CLIENT_TOKEN} characters long"
    version = document.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, (int, float)):
        return f"version: {_kind(version)} found, number expected"
    return "version: must have a minimum value of 0" if version < 0 else None


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null", int: "integer"}
    return kinds.get(type(value), "number")


def _depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _depth(child) for child in children if isinstance(child, (dict, list)) and child), default=1)


def check_version(current: ShadowDocument, update: dict[str, Any]) -> None:
    """Return when the update names no version or the current one; a new shadow may be asked for as version 1."""
    if "version" not in update:
        return
    version = int(update["version"])
    if current.version == 0:
        if version != 1:
            raise invalid("Invalid version")
    elif version != current.version:
        raise Rejection(ConflictError("Version conflict"), 409, "Version conflict")


def check_size(document: ShadowDocument) -> None:
    """Return when desired and reported together fit."""
    size = sum(
        len(json.dumps(section, separators=(",", ":"), ensure_ascii=False).encode())
        for section in document.state.values()
    )
    if size > MAX_STATE_BYTES:
        raise invalid("The payload exceeds the maximum size allowed", 413)
