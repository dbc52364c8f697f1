"""Three states of a shadow into one: what the device has, what the cloud has, what both had when they last agreed."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["ABSENT", "merged", "patch"]

ABSENT: Final = object()
"""Stands for a value that is not there."""


def merged(base: Any, local: Any, cloud: Any, *, cloud_wins: bool) -> Any:
    """Return what both sides should have; ``ABSENT`` where nothing.

    A side that changed since ``base`` wins over one that did not; where both did, objects are merged key by key, and
    of other values it is the cloud's (``cloud_wins``) or the device's.
    """
    if cloud in (local, base):  # a tuple: objects have no hash
        return local
    if local == base:
        return cloud
    if isinstance(local, Mapping) and isinstance(cloud, Mapping):
        before = base if isinstance(base, Mapping) else {}
        values = {
            key: merged(before.get(key, ABSENT), local.get(key, ABSENT), cloud.get(key, ABSENT), cloud_wins=cloud_wins)
            for key in (*local, *(key for key in cloud if key not in local))
        }
        return {key: value for key, value in values.items() if value is not ABSENT}
    winner, other = (cloud, local) if cloud_wins else (local, cloud)
    return other if winner is ABSENT else winner


def patch(before: Any, after: Any) -> dict[str, Any] | None:
    """Return the update that turns one object into another: null takes a key away; None when they are equal."""
    old = before if isinstance(before, Mapping) else {}
    new = after if isinstance(after, Mapping) else {}
    changes: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        known = old.get(key, ABSENT)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            below = patch(known, value)
            if below is not None:
                changes[key] = below
        elif known is ABSENT or known != value or type(known) is not type(value):
            changes[key] = value
    return changes or None
