"""Reads recipes (YAML or JSON) and picks the manifest and lifecycle for a platform."""

import copy
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from vedette.nucleus.errors import RecipeError
from vedette.nucleus.recipe.key_cases import wrong_cases
from vedette.nucleus.recipe.model import MAX_RECIPE_BYTES, Artifact, Lifecycle, Recipe
from vedette.nucleus.recipe.platform import Platform, first_match

logger = logging.getLogger(__name__)

_ALL: Final = "all"


def read_recipe(path: Path, *, lite: bool = False, lenient: bool = False) -> Recipe:
    """Read one recipe file; for ``lite`` and ``lenient`` see ``parse_recipe``.

    :raises RecipeError: if it cannot be read or breaks a rule; the findings name the keys
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from error
    return parse_recipe(data, str(path), lite=lite, lenient=lenient)


def parse_recipe(data: bytes, source: str, *, lite: bool = False, lenient: bool = False) -> Recipe:
    """Parse a recipe's text; ``source`` names it in errors.

    :param lite: read it as nucleus lite does: keys with regard to case, every YAML scalar as a string
    :param lenient: keys that nobody knows are a warning and no error; AWS's nuclei say nothing at all
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
        unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        if lenient and len(unknown) == error.error_count():
            pruned = copy.deepcopy(document)
            for place in unknown:
                _remove(pruned, place)
                logger.warning("recipe %s: %s: unknown key, which is ignored", source, _place(place))
            return parse_recipe(json.dumps(pruned, default=str).encode(), source, lite=lite)
        findings = [f"recipe {source}: {_place(item['loc'])}: {_words(item)}" for item in error.errors()]
        raise RecipeError(*findings) from error


def _loader(*, lite: bool) -> type[yaml.BaseLoader] | type[yaml.SafeLoader]:
    return yaml.BaseLoader if lite else yaml.SafeLoader


def lifecycle_for(recipe: Recipe, platform: Platform) -> tuple[Lifecycle, Sequence[Artifact]]:
    """Return the lifecycle and artifacts that ``recipe`` has for ``platform``.

    A manifest without a lifecycle of its own takes sections of the recipe's global one, by its ``Selections``.

    :raises RecipeError: if no manifest fits, or there is none at all
    """
    if not recipe.manifests:
        raise RecipeError(
            f"{recipe.component_name} {recipe.component_version} has no Manifests: AWS's nucleus wants at least one, "
            "for example `Manifests: [{Platform: {os: linux, runtime: '*'}}]`"
        )
    manifest = first_match(recipe.manifests, platform)
    if manifest is None:
        offered = " | ".join(str(dict(item.platform)) for item in recipe.manifests)
        raise RecipeError(
            f"{recipe.component_name} {recipe.component_version} has no manifest for this machine ({platform}); "
            f"it has: {offered}"
        )
    own = manifest.lifecycle
    if own is not None and own.model_fields_set:
        return own, manifest.artifacts
    if platform.strict:
        chosen = _select_as_lite(recipe.lifecycle, manifest.selections or [_ALL])
    else:
        keywords = {_ALL, *(key for item in recipe.manifests for key in item.selections or ())}
        chosen = _select(recipe.lifecycle, keywords, manifest.selections or ())
    return _lifecycle(recipe, chosen), manifest.artifacts


def _lifecycle(recipe: Recipe, chosen: Any) -> Lifecycle:
    try:
        return Lifecycle.model_validate(chosen if isinstance(chosen, Mapping) else {})
    except ValidationError as error:
        findings = [
            f"{recipe.component_name}: Lifecycle {_place(item['loc'])}: {_words(item)}" for item in error.errors()
        ]
        raise RecipeError(*findings) from error


def _select(node: Any, keywords: Collection[str], selections: Sequence[str]) -> Any:
    """Return what of a global lifecycle is for a manifest; None for nothing.

    Where an object has keys that any manifest selects by (or ``all``), the first of ``selections`` that is there, or
    ``all``, stands for the whole object. Source: the Java nucleus's ``PlatformResolver.filterPlatform``.
    """
    if not isinstance(node, Mapping):
        return node
    if any(key in keywords for key in node):
        for selection in (*selections, _ALL):
            if node.get(selection) is not None:
                return _select(node[selection], keywords, selections)
        return None
    found = {key: _select(value, keywords, selections) for key, value in node.items()}
    return {key: value for key, value in found.items() if value is not None}


def _select_as_lite(lifecycle: Mapping[str, Any], selections: Sequence[str]) -> Any:
    """Return nucleus lite's choice: the section of the first selection that is ``all`` or ``linux``, whole."""
    wanted = (selection for selection in selections if selection in {_ALL, "linux"})
    return next((lifecycle[selection] for selection in wanted if selection in lifecycle), None)


def _remove(document: Any, place: tuple[int | str, ...]) -> None:
    for part in place[:-1]:
        document = document[part] if isinstance(part, int) else document[_spelled(document, part)]
    del document[_spelled(document, str(place[-1]))]


def _spelled(document: Mapping[Any, Any], key: str) -> Any:
    return next(known for known in document if str(known).lower() == key.lower())


def _place(location: tuple[int | str, ...]) -> str:
    return "/".join(str(part) for part in location) or "recipe"


def _words(item: Mapping[str, Any]) -> str:
    return "unknown key" if item["type"] == "extra_forbidden" else str(item["msg"]).removeprefix("Value error, ")
