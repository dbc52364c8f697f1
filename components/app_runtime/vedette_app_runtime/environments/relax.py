"""Which pins give way when an interpreter has no wheels for them: as few as can be, each to the next newer release."""

from typing import TYPE_CHECKING

from packaging.version import Version

from vedette_app_runtime.environments.known_breaks import KNOWN_BREAKS, WITH_SCREEN
from vedette_app_runtime.environments.requirement import Requirement, RequirementSet, parse_line
from vedette_app_runtime.environments.strategies import Strategy
from vedette_app_runtime.environments.uv_command import UvFailed

if TYPE_CHECKING:
    from vedette_app_runtime.environments.resolver import Resolver

_WHEELS = Strategy("one library alone", constrain=False)


def relax(wanted: RequirementSet, resolver: "Resolver", *, everything: bool) -> tuple[RequirementSet, tuple[str, ...]]:
    """Return ``wanted`` with pins relaxed, and a sentence for each.

    A pin gives way when no release that it allows has a wheel here, or when one has but works only with another
    library that has none (:data:`KNOWN_BREAKS`). With ``everything``, every pin becomes a lower bound.
    :raises UvFailed: if an index cannot be reached.
    """
    kept: list[Requirement] = []
    said: list[str] = []
    for requirement in wanted.requirements:
        if not requirement.bounded or requirement.url:
            kept.append(requirement)
            continue
        if everything:
            loose = requirement.with_specifier(f">={floor(requirement)}")
            kept.append(loose)
            said.append(f"{requirement.line()} was taken as {loose.line()}: no set of releases keeps all pins here")
            continue
        at_least, reason = _obstacle(requirement, wanted, resolver)
        nearest = (
            None
            if at_least is None
            else _version(requirement.with_specifier(f">={at_least}"), wanted, resolver, lowest=True)
        )
        if nearest is None:
            kept.append(requirement)
        else:
            kept.append(requirement.with_specifier(f"=={nearest}"))
            said.append(f"{requirement.line()} became {requirement.name}=={nearest}: {reason}")
    return RequirementSet(kept, wanted.options, wanted.ignored), tuple(said)


def floor(requirement: Requirement) -> str:
    """Return the version that a pin speaks of: of ``==4.6.*`` and ``>=4.2,<4.6`` that is 4.6."""
    versions = [part.version.removesuffix(".*") for part in requirement.specifier if part.operator != "!="]
    return str(max(versions, key=Version))


def _obstacle(requirement: Requirement, wanted: RequirementSet, resolver: "Resolver") -> tuple[str | None, str]:
    """Return the version from which on a pin can be met here and why not before; (None, "") when it can be met."""
    version = _version(requirement, wanted, resolver)
    if version is None:
        return floor(requirement), "no release that it allows has a wheel for this Python"
    name = WITH_SCREEN.get(requirement.name, requirement.name)
    for entry in KNOWN_BREAKS:
        if entry.concerns(name, version) and _version(parse_line(entry.constraint, "base"), wanted, resolver) is None:
            return entry.below, f"{version} works only with {entry.constraint}, which has no wheel for this Python"
    return None, ""


def _version(
    requirement: Requirement, wanted: RequirementSet, resolver: "Resolver", *, lowest: bool = False
) -> str | None:
    """Return which release uv takes for one requirement alone, without its own requirements; None for none."""
    extra = ("--no-deps", "--resolution", "lowest") if lowest else ("--no-deps",)
    try:
        versions = resolver.compile([requirement], wanted.options, _WHEELS, (), *extra).versions()
    except UvFailed as error:
        if error.network:
            raise
        return None
    # Empty when a marker excludes it for this interpreter: then it stands in nobody's way.
    return versions.get(requirement.name, floor(requirement) if requirement.bounded else None)
