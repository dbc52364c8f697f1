"""What a shadow wants of a running application, and what is told back: ``docs/ref/shadow.md`` as code. No I/O."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vedette.application.constraint import broken_constraint
from vedette.application.manifest import ApplicationManifest
from vedette.application.parameter import ParameterValue, ParameterValueError, coerce_parameter

PAUSE: Final = "PAUSE"
RESUME: Final = "RESUME"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_MAX_TOKEN: Final = 64
_MAX_REASON: Final = 200
_MAX_REASONS: Final = 40
_MAX_KEY: Final = 80


@dataclass(frozen=True)
class Desired:
    """The usable part of ``state.desired``, typed, and why the rest is not used."""

    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Parameter node -> value."""
    paused: Mapping[str, bool] = field(default_factory=dict)
    """Camera node or camera name -> whether it is to pause."""
    log_level: str | None = None
    restart: str | int | float | None = None
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Entry -> reason."""

    def pauses(self, node: str, name: str, otherwise: bool) -> bool:
        """Return whether a camera pauses: its own entry goes before its node's, that before the deployment's."""
        return self.paused.get(name, self.paused.get(node, otherwise))


def read_desired(document: object, manifest: ApplicationManifest, cameras: Iterable[tuple[str, str]]) -> Desired:
    """Take what can be used out of ``state.desired``; nothing in it can make this fail.

    :param document: whatever stands there; None for a shadow without it
    :param cameras: (camera node, camera name) of every camera of the instance
    """
    if document is None:
        return Desired()
    if not isinstance(document, Mapping):
        return Desired(rejected={"desired": f"expected an object, got {_kind(document)}"})
    rejected: dict[str, str] = {}
    known = {"parameters", "cameras", "logLevel", "restart"}
    for key in document.keys() - known:
        rejected[str(key)[:_MAX_KEY]] = "unknown key"
    return Desired(
        parameters=_parameters(document.get("parameters"), manifest, rejected),
        paused=_cameras(document.get("cameras"), list(cameras), rejected),
        log_level=_log_level(document.get("logLevel"), rejected),
        restart=_restart(document.get("restart"), rejected),
        rejected=rejected,
    )


def reported(
    *,
    parameters: Mapping[str, tuple[ParameterValue, str]],
    cameras: Mapping[str, bool],
    log_level: str,
    desired: Desired,
    restart: str | float | None,
    room: int,
) -> dict[str, Any]:
    """Return ``state.reported``: what is in effect, in at most ``room`` bytes.

    :param parameters: parameter node -> (value, origin)
    :param cameras: camera node or name -> whether it is paused
    :param restart: the restart that was done last
    """
    reasons = sorted(desired.rejected.items())
    full: dict[str, Any] = {
        "parameters": {node: value for node, (value, _) in parameters.items()},
        "origins": {node: origin for node, (_, origin) in parameters.items()},
        "cameras": {name: PAUSE if paused else RESUME for name, paused in cameras.items()},
        "logLevel": log_level,
        "rejected": {key: reason[:_MAX_REASON] for key, reason in reasons[:_MAX_REASONS]},
    }
    if restart is not None:
        full["restart"] = restart
    if len(reasons) <= _MAX_REASONS and state_bytes(full) <= room:
        return full
    full["left_out"] = True
    own = {node for node, (_, origin) in parameters.items() if origin == "shadow"}
    for key in ("parameters", "origins"):
        full[key] = {node: value for node, value in full[key].items() if node in own}
    for key in ("origins", "rejected", "parameters", "cameras"):
        if state_bytes(full) <= room:
            return full
        del full[key]
    return full if state_bytes(full) <= room else {}


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update has to send to make ``old`` into ``new``: null for what goes; empty when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif not _same(before, value) and not (value == {} and before is None):
            # A shadow drops what is empty: an empty object would be sent for ever.
            patch[key] = value
    return patch


def merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` after an update with ``patch``: objects are merged, null removes, all else replaces."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def state_bytes(value: object) -> int:
    """Return how many bytes a value takes in a shadow."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _parameters(values: object, manifest: ApplicationManifest, rejected: dict[str, str]) -> dict[str, ParameterValue]:
    found: dict[str, ParameterValue] = {}
    ports = {port.node: port for port in manifest.parameters() if port.node is not None}
    for node, value in _entries("parameters", values, rejected):
        port = ports.get(node)
        reason = "the application has no such parameter node"
        if port is not None:
            try:
                typed = coerce_parameter(port.type, value)
            except ParameterValueError as error:
                reason = str(error)
            else:
                reason = broken_constraint(port, typed)
                if not reason:
                    found[node] = typed
        if reason:
            rejected[f"parameters.{node}"[:_MAX_KEY]] = reason
    return found


def _cameras(values: object, cameras: list[tuple[str, str]], rejected: dict[str, str]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    known = {node for node, _ in cameras} | {name for _, name in cameras}
    for name, value in _entries("cameras", values, rejected):
        word = value.upper() if isinstance(value, str) else ""
        if name not in known:
            rejected[f"cameras.{name}"[:_MAX_KEY]] = "the application has no camera and no camera node of this name"
        elif word in {PAUSE, RESUME}:
            found[name] = word == PAUSE
        else:
            rejected[f"cameras.{name}"[:_MAX_KEY]] = f"expected {PAUSE} or {RESUME}, got {_shown(value)}"
    return found


def _log_level(value: object, rejected: dict[str, str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and value.upper() in LOG_LEVELS:
        return value.upper()
    rejected["logLevel"] = f"expected one of {', '.join(LOG_LEVELS)}, got {_shown(value)}"
    return None


def _restart(value: object, rejected: dict[str, str]) -> str | int | float | None:
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= _MAX_TOKEN:
        return value
    rejected["restart"] = f"expected a text or number of at most {_MAX_TOKEN} characters, a new one for each restart"
    return None


def _entries(key: str, values: object, rejected: dict[str, str]) -> list[tuple[str, object]]:
    if values is None:
        return []
    if not isinstance(values, Mapping):
        rejected[key] = f"expected an object, got {_kind(values)}"
        return []
    return [(str(name), value) for name, value in values.items() if value is not None]


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"


def _shown(value: object) -> str:
    return (
        repr(value)[:80] if isinstance(value, str) else _kind(value) if not isinstance(value, Mapping) else "an object"
    )
