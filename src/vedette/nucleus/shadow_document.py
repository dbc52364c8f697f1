"""One device shadow: desired and reported state, metadata and version, merged as the shadow manager merges.

Source: aws-greengrass-shadow-manager ``model/ShadowState.java``, ``model/ShadowStateMetadata.java``,
``util/JsonMerger.java`` and ``util/JsonUtil.java``.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["SECTIONS", "ShadowDocument", "delta"]

SECTIONS: Final = ("desired", "reported")
Json = Any


@dataclass(frozen=True, slots=True)
class ShadowDocument:
    """A shadow; never changed in place. A new shadow has version 0 until its first update."""

    state: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    """``desired`` and ``reported``; a section that is empty is left out."""
    metadata: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    """As ``state``, with ``{"timestamp": seconds}`` in place of every value."""
    version: int = 0

    def updated(self, patch: Mapping[str, Json] | None, now_s: int) -> "tuple[ShadowDocument, Json]":
        """Return the shadow after an update's ``state``, and the metadata of that state alone.

        :param patch: null removes a value, a null section or a null state removes all of it; ``{}`` changes nothing
        :param now_s: Unix time in seconds
        """
        stamps = _stamp(patch, now_s)
        state: dict[str, dict[str, Json]] = {}
        metadata: dict[str, dict[str, Json]] = {}
        for section in SECTIONS:
            values = copy.deepcopy(self.state.get(section, {}))
            times = copy.deepcopy(self.metadata.get(section, {}))
            if patch is None:
                continue
            if section in patch:
                if _missing(patch[section]):
                    continue
                _merge(values, patch[section])
                _merge_stamps(values, times, stamps[section])
            if values:
                state[section], metadata[section] = values, times
        return ShadowDocument(state, metadata, self.version + 1), stamps

    def delta(self) -> tuple[Json, Json] | None:
        """Return what is desired and not (so) reported, with its metadata; None when there is no difference."""
        desired = self.state.get("desired")
        if not desired:
            return None
        reported = self.state.get("reported")
        difference = delta(reported, desired) if reported else desired
        if difference is None:
            return None
        return difference, _stamps_of(difference, self.metadata.get("desired"))

    def plain(self) -> dict[str, Json]:
        """Return the shadow as the ``documents`` topic and the file on disk have it."""
        return {"state": dict(self.state), "metadata": dict(self.metadata), "version": self.version}


def _missing(value: Json) -> bool:
    return value is None or value == {}


def _merge(target: dict[str, Json], patch: Mapping[str, Json]) -> None:
    for key, value in patch.items():
        if _missing(value):
            target.pop(key, None)
        elif isinstance(value, dict):
            existing = target.get(key)
            if isinstance(existing, dict):
                _merge(existing, value)
                continue
            fresh: dict[str, Json] = {}
            _merge(fresh, value)
            if fresh:
                target[key] = fresh
        else:
            target[key] = copy.deepcopy(value)


def _stamp(value: Json, now_s: int) -> Json:
    if isinstance(value, Mapping):
        return {key: _stamp(child, now_s) for key, child in value.items()}
    if isinstance(value, list):
        return [_stamp(child, now_s) for child in value]
    return {"timestamp": now_s}


def _is_stamp(value: Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("timestamp"), int)


def _merge_stamps(state: Mapping[str, Json], stamps: dict[str, Json], patch: Mapping[str, Json]) -> None:
    for key, value in patch.items():
        kept = state.get(key)
        if _missing(kept):
            stamps.pop(key, None)
        elif isinstance(kept, dict) and isinstance(value, dict):
            below = stamps.get(key)
            if not isinstance(below, dict) or _is_stamp(below):
                below = stamps[key] = {}
            _merge_stamps(kept, below, value)
        else:
            stamps[key] = value


def _same(one: Json, other: Json) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def delta(reported: Json, desired: Json) -> Json:
    """Return the part of ``desired`` that differs from ``reported``, None when nothing does. 1 and 1.0 are the same."""
    if isinstance(reported, dict) and isinstance(desired, dict):
        result: dict[str, Json] = {}
        for key, value in desired.items():
            difference = delta(reported[key], value) if key in reported else value
            if difference is not None:
                result[key] = difference
        return result or None
    return None if _same(reported, desired) else desired


def _stamps_of(difference: Json, stamps: Json) -> Json:
    if isinstance(difference, dict) and isinstance(stamps, dict):
        return {key: _stamps_of(value, stamps.get(key)) for key, value in difference.items()}
    return stamps
