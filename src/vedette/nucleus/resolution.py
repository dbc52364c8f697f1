"""Dependency resolution: which version of which component, in which order.

Every component gets the newest version in the store that satisfies all requirements on it. Choosing a version brings
its dependencies' requirements in, which may rule out a version chosen before; the choice is repeated until it stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from vedette.nucleus.aws_components import PROVIDED, way_out
from vedette.nucleus.errors import NucleusError, ResolutionError
from vedette.nucleus.recipe import DependencyType, Recipe, VersionRequirement

_MAX_ROUNDS: Final = 100


class RecipeSource(Protocol):
    """Where recipes come from; ``ComponentStore`` is one."""

    def versions(self, name: str) -> list[Recipe]:
        """Return the recipes of every version of ``name``, newest first."""


@dataclass(frozen=True)
class Requirement:
    """What somebody asks of a component's version."""

    asked_by: str
    requirement: VersionRequirement


@dataclass(frozen=True)
class Resolution:
    """The chosen recipes in start order (dependencies first)."""

    recipes: Mapping[str, Recipe]
    order: Sequence[str] = field(default_factory=tuple)

    def hard_dependencies(self, name: str) -> list[str]:
        """Return the components that must be up before ``name`` starts."""
        dependencies = self.recipes[name].component_dependencies
        return sorted(
            key
            for key, value in dependencies.items()
            if value.dependency_type is DependencyType.HARD and key in self.recipes
        )


def resolve(roots: Mapping[str, str | Sequence[str]], source: RecipeSource) -> Resolution:
    """Choose versions for ``roots`` (component -> version requirements) and all they depend on.

    :raises ResolutionError: with one finding for each component that cannot be had, saying who asked for what
    """
    chosen: dict[str, Recipe] = {}
    for _ in range(_MAX_ROUNDS):
        requirements = _requirements(roots, chosen.values())
        findings: list[str] = []
        fresh: dict[str, Recipe] = {}
        for name, asked in requirements.items():
            choice = _choose(name, asked, source)
            if isinstance(choice, Recipe):
                fresh[name] = choice
            else:
                findings += choice
        if findings:
            raise ResolutionError(*findings)
        if fresh == chosen:
            return Resolution(recipes=chosen, order=_start_order(chosen))
        chosen = fresh
    raise ResolutionError(
        f"the versions of {', '.join(sorted(chosen))} do not settle: pin their versions in the deployment"
    )


def _requirements(roots: Mapping[str, str | Sequence[str]], recipes: Iterable[Recipe]) -> dict[str, list[Requirement]]:
    found = {
        name: [
            Requirement("the deployment", VersionRequirement.parse(text))
            for text in ([texts] if isinstance(texts, str) else texts)
        ]
        for name, texts in roots.items()
    }
    for recipe in recipes:
        for name, dependency in recipe.component_dependencies.items():
            if name in PROVIDED and name not in roots:
                continue
            asked = Requirement(
                f"{recipe.component_name} {recipe.component_version}",
                VersionRequirement.parse(dependency.version_requirement),
            )
            found.setdefault(name, []).append(asked)
    return found


def _choose(name: str, asked: Sequence[Requirement], source: RecipeSource) -> Recipe | Sequence[str]:
    """Return the newest recipe that everybody takes, or what is wrong."""
    try:
        recipes = source.versions(name)
    except NucleusError as error:
        return error.findings
    wanted = ", ".join(f"{item.asked_by} asks for {item.requirement}" for item in asked)
    if not recipes:
        return [f"{name} is not in the component store ({wanted}): {way_out(name)}"]
    fitting = (recipe for recipe in recipes if all(item.requirement.allows(recipe.version) for item in asked))
    found = next(fitting, None)
    if found is None:
        offered = ", ".join(recipe.component_version for recipe in recipes)
        return [f"no version of {name} fits: {wanted}; the component store has {offered}"]
    return found


def _start_order(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Return the names, dependencies first and by name otherwise.

    :raises ResolutionError: if components depend on one another in a circle
    """
    order: list[str] = []
    path: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in recipes:
            return
        if name in path:
            circle = [*path[path.index(name) :], name]
            raise ResolutionError(f"components depend on one another in a circle: {' -> '.join(circle)}")
        path.append(name)
        for dependency in sorted(recipes[name].component_dependencies):
            visit(dependency)
        path.pop()
        order.append(name)

    for name in sorted(recipes):
        visit(name)
    return tuple(order)
