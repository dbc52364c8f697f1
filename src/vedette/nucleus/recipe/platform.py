"""The platform attributes of this machine and how a recipe's manifest matches them (first match wins)."""

import platform as machine_platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i386": "x86",
    "i686": "x86",
}
DEFAULT_RUNTIME: Final = "aws_nucleus_classic"
"""What the local nucleus says it is: its operations are those of the Java nucleus."""


_SYSTEM: Final = frozenset({"os", "architecture"})
_ALL: Final = "all"
_ANY: Final = frozenset({_ALL, "any"})


@dataclass(frozen=True)
class Platform:
    """Platform attributes: ``os``, ``architecture`` (in Greengrass's words: amd64, aarch64, ...) and ``runtime``."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    """As nucleus lite: a manifest must name runtime and system, and there are no regular expressions."""

    @classmethod
    def of_this_machine(cls, runtime: str = DEFAULT_RUNTIME, *, strict: bool = False) -> "Platform":
        """Return the attributes of the machine that this runs on."""
        machine = machine_platform.machine().lower()
        return cls(
            {
                "os": machine_platform.system().lower(),
                "architecture": _ARCHITECTURES.get(machine, machine),
                "runtime": runtime,
            },
            strict=strict,
        )

    def matches(self, wanted: Mapping[str, str]) -> bool:
        """Tell whether every attribute a manifest asks for is met: ``*``, an exact value, or ``/regular expression/``.

        ``*`` holds even for an attribute this machine does not have; attributes that are not asked for do not count.
        GDK's templates write ``os: all``, an older word for ``*``.
        """
        if self.strict:
            return self._matches_as_lite(wanted)
        return all(
            (value in _ANY and key.lower() in _SYSTEM) or _value_matches(value, self.attributes.get(key.lower()))
            for key, value in wanted.items()
        )

    def _matches_as_lite(self, wanted: Mapping[str, str]) -> bool:
        # Its ``ggl-recipe``: attributes other than these three do not count.
        return (
            wanted.get("runtime") in {"*", self.attributes.get("runtime")}
            and wanted.get("os") in {"*", _ALL, self.attributes.get("os")}
            and wanted.get("architecture") in {None, "", "*", self.attributes.get("architecture")}
        )

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self.attributes.items())


class _HasPlatform(Protocol):
    @property
    def platform(self) -> Mapping[str, str]: ...


ManifestT = TypeVar("ManifestT", bound=_HasPlatform)


def first_match(manifests: Sequence[ManifestT], platform: Platform) -> ManifestT | None:
    """Return the first manifest that fits ``platform``, or None."""
    return next((manifest for manifest in manifests if platform.matches(manifest.platform)), None)


def _value_matches(wanted: str, actual: str | None) -> bool:
    if wanted == "*":
        return True
    if actual is None:
        return False
    if len(wanted) > 2 and wanted.startswith("/") and wanted.endswith("/"):
        return re.fullmatch(wanted[1:-1], actual) is not None
    return wanted == actual
