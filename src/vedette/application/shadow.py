"""The named shadow of an application instance: what a device's own parameter values are set by.

One shadow an instance, on the core device's thing. ``state.desired.parameters`` holds parameter node -> value; a value
there goes before the deployment's for as long as it stands there, and null takes it away. It holds parameters alone.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from vedette.application.parameter import ParameterValue

MAX_SHADOW_BYTES: Final = 8192
"""What AWS IoT lets the state of a shadow have."""
_MAX_NAME: Final = 64
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9:_-]")


def shadow_name(instance: str) -> str:
    """Return the name of an instance's shadow: ``vedette-<instance>``, which AWS IoT takes.

    Instance names may hold dots and be longer than a shadow's name; a digest keeps such names apart.
    """
    name = f"vedette-{instance}"
    clean = _NOT_ALLOWED.sub("-", name)
    if clean == name and len(name) <= _MAX_NAME:
        return name
    return f"{clean[: _MAX_NAME - 9]}-{hashlib.sha256(instance.encode()).hexdigest()[:8]}"


def desired_parameters(values: Mapping[str, ParameterValue]) -> dict[str, Any]:
    """Return the payload of UpdateThingShadow that sets these parameter nodes."""
    return {"state": {"desired": {"parameters": dict(values)}}}


def shadow_bytes(payload: Mapping[str, Any]) -> int:
    """Return how much of MAX_SHADOW_BYTES a payload's state takes."""
    return len(json.dumps(payload["state"], separators=(",", ":"), ensure_ascii=False).encode())
