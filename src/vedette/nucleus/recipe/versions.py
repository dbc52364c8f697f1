"""Semantic versions and npm-style version requirements, as Greengrass recipes use them.

Requirements: ``1.2.3``, ``=1.2.3``, ``>=1.0.0 <2.0.0``, ``^1.2``, ``~1.2.3``, ``1.x``, ``*``, ``1.0.0 - 1.4``, and
several alternatives joined by ``||``. A pre-release satisfies a requirement only where the requirement itself names a
pre-release of the same major.minor.patch (npm's rule).
"""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

_VERSION: Final = re.compile(
    r"(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)
_PARTIAL: Final = re.compile(
    r"v?(?P<major>\d+|[xX*])(?:\.(?P<minor>\d+|[xX*]))?(?:\.(?P<patch>\d+|[xX*]))?"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_COMPARATOR: Final = re.compile(r"(?P<operator>\^|~>?|>=|<=|>|<|=)?\s*(?P<version>[^\s^~<>=]+)")
_HYPHEN: Final = re.compile(r"^\s*(\S+)\s+-\s+(\S+)\s*$")
MAX_LENGTH: Final = 64
"""Longest version Greengrass takes, characters."""


@total_ordering
@dataclass(frozen=True)
class Version:
    """A semantic version; build metadata is dropped, as it takes no part in comparisons."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read ``major.minor.patch[-pre][+build]``.

        :raises ValueError: if it is anything else, or longer than 64 characters
        """
        match = _VERSION.fullmatch(text)
        if match is None or len(text) > MAX_LENGTH:
            raise ValueError(f"{text!r} is not a semantic version: expected major.minor.patch, for example 1.2.0")
        pre = tuple(match["pre"].split(".")) if match["pre"] else ()
        return cls(int(match["major"]), int(match["minor"]), int(match["patch"]), pre)

    @property
    def core(self) -> tuple[int, int, int]:
        """Return (major, minor, patch)."""
        return self.major, self.minor, self.patch

    def __str__(self) -> str:
        pre = f"-{'.'.join(self.prerelease)}" if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._key() < other._key()

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]:
        # A version without a pre-release is newer than any of its pre-releases; numeric identifiers sort first.
        identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return self.core, not self.prerelease, identifiers


@dataclass(frozen=True)
class _Bound:
    operator: str
    version: Version

    def allows(self, version: Version) -> bool:
        if self.operator == ">=":
            return version >= self.version
        if self.operator == ">":
            return version > self.version
        if self.operator == "<":
            return version < self.version
        if self.operator == "<=":
            return version <= self.version
        return version == self.version


@dataclass(frozen=True)
class VersionRequirement:
    """A parsed requirement: alternatives, each a list of bounds that must all hold."""

    text: str
    alternatives: tuple[tuple[_Bound, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "VersionRequirement":
        """Read an npm-style range; an empty text and ``*`` allow every version that is not a pre-release.

        :raises ValueError: if the text is not such a range
        """
        alternatives = tuple(tuple(_bounds(part.strip(), text)) for part in text.split("||"))
        return cls(text=text.strip() or "*", alternatives=alternatives)

    def allows(self, version: Version) -> bool:
        """Tell whether ``version`` satisfies the requirement."""
        return any(_allowed(bounds, version) for bounds in self.alternatives)

    def __str__(self) -> str:
        return self.text


def _allowed(bounds: tuple[_Bound, ...], version: Version) -> bool:
    if not all(bound.allows(version) for bound in bounds):
        return False
    if not version.prerelease:
        return True
    return any(bound.version.prerelease and bound.version.core == version.core for bound in bounds)


def _bounds(part: str, whole: str) -> list[_Bound]:
    hyphen = _HYPHEN.match(part)
    if hyphen is not None:
        return _range(">=", hyphen[1], whole) + _range("<=", hyphen[2], whole)
    bounds: list[_Bound] = []
    rest = part
    while rest:
        match = _COMPARATOR.match(rest)
        if match is None:
            raise _bad(whole)
        bounds += _range(match["operator"] or "", match["version"], whole)
        rest = rest[match.end() :].lstrip(" ,\t")
    return bounds


def _range(operator: str, text: str, whole: str) -> list[_Bound]:
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise _bad(whole)
    numbers = [None if part is None or part in "xX*" else int(part) for part in match.group("major", "minor", "patch")]
    major, minor, patch = numbers
    if major is None:
        return [_Bound("<", Version(0, 0, 0))] if operator in {"<", ">"} else []
    pre = tuple(match["pre"].split(".")) if match["pre"] else ()
    low = Version(major, minor or 0, patch or 0 if minor is not None else 0, pre)
    above = _next(major, minor, patch)
    partial = minor is None or patch is None
    if operator == "^":
        return [_Bound(">=", low), _Bound("<", _caret(major, minor, patch))]
    if operator in {"~", "~>"}:
        return [_Bound(">=", low), _Bound("<", _next(major, minor, None))]
    if not partial:
        return [_Bound(operator or "=", low)]
    return {
        "": [_Bound(">=", low), _Bound("<", above)],
        "=": [_Bound(">=", low), _Bound("<", above)],
        ">": [_Bound(">=", above)],
        ">=": [_Bound(">=", low)],
        "<": [_Bound("<", low)],
        "<=": [_Bound("<", above)],
    }[operator]


def _next(major: int, minor: int | None, patch: int | None) -> Version:
    """Return the first version above every version that begins with the given numbers."""
    if minor is None:
        return Version(major + 1, 0, 0)
    if patch is None:
        return Version(major, minor + 1, 0)
    return Version(major, minor, patch + 1)


def _caret(major: int, minor: int | None, patch: int | None) -> Version:
    """Return the first version that changes the leftmost number that is not zero."""
    if major > 0 or minor is None:
        return Version(major + 1, 0, 0)
    if minor > 0 or patch is None:
        return Version(major, minor + 1, 0)
    return Version(major, minor, patch + 1)


def _bad(text: str) -> ValueError:
    return ValueError(
        f"{text!r} is not a version requirement: expected an npm-style range, for example '^1.0.0' or '>=1.0.0 <2.0.0'"
    )
