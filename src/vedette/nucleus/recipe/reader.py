"""Reads recipes (YAML or JSON) and picks the manifest and lifecycle for a platform."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vedette.nucleus.errors import RecipeError
from vedette.nucleus.recipe.key_cases import wrong_cases
from vedette.nucleus.recipe.model import MAX_RECIPE_BYTES, Artifact, Lifecycle, Recipe
from vedette.nucleus.recipe.platform import Platform, first_match


def read_recipe(path: Path, *, lite: bool = False) -> Recipe:
    """Read one recipe file; ``lite``: as nucleus lite reads it.

    :raises RecipeError: if it cannot be read or breaks a rule; the findings name the keys
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from error
    return parse_recipe(data, str(path), lite=lite)


def parse_recipe(data: bytes, source: str, *, lite: bool = False) -> Recipe:
    """Parse a recipe's text; ``source`` names it in errors.

    :param lite: read it as nucleus lite does: keys with regard to case, every YAML scalar as a string

    :raises RecipeError: if it breaks a rule; the findings name the keys
    """
    if len(data) > MAX_RECIPE_BYTES:
        raise RecipeError(f"recipe {source} has {len(data)} bytes; AWS takes at most {MAX_RECIPE_BYTES}")
    try:
        # JSON is read as JSON: a tab is white space there, and an error in YAML.
        document = json.loads(data) if data.lstrip().startswith(b"{") else yaml.load(data, _loader(lite=lite))  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"recipe {source} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(document, Mapping):
        raise RecipeError(f"recipe {source} is not an object with keys such as ComponentName")
    if lite and (wrong := wrong_cases(document)):
        raise RecipeError(*(f"recipe {source}: nucleus lite does not know the key {finding}" for finding in wrong))
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        findings = [f"recipe {source}: {_place(item['loc'])}: {_words(item)}" for item in error.errors()]
        raise RecipeError(*findings) from error


def _loader(*, lite: bool) -> type[yaml.BaseLoader] | type[yaml.SafeLoader]:
    return yaml.BaseLoader if lite else yaml.SafeLoader


def lifecycle_for(recipe: Recipe, platform: Platform) -> tuple[Lifecycle, Sequence[Artifact]]:
    """Return the lifecycle and artifacts that ``recipe`` has for ``platform``.

    A manifest without a lifecycle of its own takes sections of the recipe's global one, by its ``Selections``
    (default: the platform's operating system, its architecture, ``all``).

    :raises RecipeError: if no manifest fits
    """
    if not recipe.manifests:
        return _global_lifecycle(recipe, platform, None), ()
    manifest = first_match(recipe.manifests, platform)
    if manifest is None:
        offered = " | ".join(str(dict(item.platform)) for item in recipe.manifests)
        raise RecipeError(
            f"{recipe.component_name} {recipe.component_version} has no manifest for this machine ({platform}); "
            f"it has: {offered}"
        )
    lifecycle = manifest.lifecycle or _global_lifecycle(recipe, platform, manifest.selections)
    return lifecycle, manifest.artifacts


def _global_lifecycle(recipe: Recipe, platform: Platform, selections: Sequence[str] | None) -> Lifecycle:
    keys = selections or [platform.attributes.get("os", ""), platform.attributes.get("architecture", ""), "all"]
    chosen = _select(recipe.lifecycle, [key.lower() for key in keys])
    try:
        return Lifecycle.model_validate(chosen if isinstance(chosen, Mapping) else {})
    except ValidationError as error:
        findings = [
            f"{recipe.component_name}: Lifecycle {_place(item['loc'])}: {_words(item)}" for item in error.errors()
        ]
        raise RecipeError(*findings) from error


def _select(node: Any, selections: Sequence[str]) -> Any:
    if not isinstance(node, Mapping):
        return node
    by_lower = {str(key).lower(): key for key in node}
    for selection in selections:
        if selection in by_lower:
            return _select(node[by_lower[selection]], selections)
    return {key: _select(value, selections) for key, value in node.items()}


def _place(location: tuple[int | str, ...]) -> str:
    return "/".join(str(part) for part in location) or "recipe"


def _words(item: Mapping[str, Any]) -> str:
    return "unknown key" if item["type"] == "extra_forbidden" else str(item["msg"]).removeprefix("Value error, ")
