"""The state of a shadow, and what its messages say. A codec: no I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ShadowState:
    """``state`` of a shadow's document. ``desired`` is whatever stands there, since anybody may write it."""

    desired: object = None
    reported: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    """None: not known."""


def state_of(document: object) -> ShadowState | None:
    """Return the state in a document of a shadow (``get``, or ``current`` of ``update/documents``), None for none."""
    if not isinstance(document, Mapping):
        return None
    state = document.get("state")
    if not isinstance(state, Mapping):
        return ShadowState(version=_version(document))
    reported = state.get("reported")
    return ShadowState(
        state.get("desired"), reported if isinstance(reported, Mapping) else {}, version=_version(document)
    )


def parsed(payload: bytes) -> Mapping[str, Any]:
    """Return a message's JSON object; an empty one for anything else."""
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _version(document: Mapping[str, Any]) -> int | None:
    version = document.get("version")
    # The Java nucleus may make a float of it.
    return int(version) if isinstance(version, int | float) and not isinstance(version, bool) else None
