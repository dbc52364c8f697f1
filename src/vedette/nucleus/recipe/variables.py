"""Recipe variables: ``{configuration:/pointer}``, ``{artifacts:path}``, ``{work:path}``, ``{iot:thingName}``, ...

A variable that is unknown or has no value is left in the text as it stands, as AWS's nucleus does; so shell text such
as ``${HOME}`` or ``awk '{print $1}'`` passes through untouched.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_VARIABLE: Final = re.compile(
    r"\{(?:(?P<component>[A-Za-z0-9_.-]+):)?(?P<space>configuration|artifacts|work|kernel|iot):(?P<key>[^{}\s]+)\}"
)
_MISSING: Final = object()


@dataclass(frozen=True)
class Scope:
    """What the variables of one component stand for."""

    artifacts: Path
    decompressed: Path
    work: Path
    configuration: Mapping[str, Any] = field(default_factory=dict)

    def value(self, space: str, key: str) -> str | None:
        """Return the text of ``{space:key}``, or None when there is no such variable or value."""
        if space == "configuration":
            found = pointer(self.configuration, key)
            return None if found is _MISSING else as_text(found)
        return {
            ("artifacts", "path"): str(self.artifacts),
            ("artifacts", "decompressedPath"): str(self.decompressed),
            ("work", "path"): str(self.work),
        }.get((space, key))


@dataclass(frozen=True)
class Variables:
    """Variables as one component sees them: its own, those of its direct dependencies, and the nucleus's."""

    own: Scope
    root: Path
    thing_name: str
    dependencies: Mapping[str, Scope] = field(default_factory=dict)

    def render(self, text: str) -> str:
        """Return ``text`` with every known variable replaced by its value."""
        return _VARIABLE.sub(self._replacement, text)

    def _replacement(self, match: "re.Match[str]") -> str:
        component, space, key = match["component"], match["space"], match["key"]
        if component is None and (space, key) == ("kernel", "rootPath"):
            return str(self.root)
        if component is None and (space, key) == ("iot", "thingName"):
            return self.thing_name
        scope = self.own if component is None else self.dependencies.get(component)
        value = None if scope is None else scope.value(space, key)
        return match[0] if value is None else value


def interpolate_names(value: Any, *, root: Path, thing_name: str) -> Any:
    """Replace ``{iot:thingName}`` and ``{kernel:rootPath}`` in every string of a configuration document.

    This is what AWS's nucleus does to configuration with ``interpolateComponentConfiguration``; Vedette's deployments
    always set it.
    """
    if isinstance(value, str):
        return value.replace("{iot:thingName}", thing_name).replace("{kernel:rootPath}", str(root))
    if isinstance(value, Mapping):
        return {
            interpolate_names(key, root=root, thing_name=thing_name): interpolate_names(
                item, root=root, thing_name=thing_name
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [interpolate_names(item, root=root, thing_name=thing_name) for item in value]
    return value


def pointer(document: Any, path: str) -> Any:
    """Return what the JSON pointer ``path`` (RFC 6901) finds in ``document``, or a private mark for nothing."""
    found = document
    for raw in path.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and token in found:
            found = found[token]
        elif isinstance(found, list) and token.isdigit() and int(token) < len(found):
            found = found[int(token)]
        else:
            return _MISSING
    return found


def as_text(value: Any) -> str:
    """Return a configuration value as a script sees it: strings as they are, objects and lists as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
