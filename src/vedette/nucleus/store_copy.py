"""Copies recipes and artifacts from a developer's folders into the component store."""

import os
import shutil
from pathlib import Path
from typing import Final, Protocol

from vedette.nucleus.errors import StoreError
from vedette.nucleus.recipe import Recipe, read_recipe

RECIPE_SUFFIXES: Final = (".yaml", ".yml", ".json")


class StoreFolders(Protocol):
    """Where a store keeps its files; ``ComponentStore`` is one."""

    recipes: Path
    artifacts: Path
    lite: bool


def copy_into(
    store: StoreFolders, recipe_folder: str | Path | None, artifact_folder: str | Path | None
) -> list[Recipe]:
    """Copy what the folders hold; return the recipes.

    Each file is renamed into place, so a process that is killed leaves the old one or the new one.

    :raises RecipeError: if a recipe cannot be read; nothing was copied
    :raises StoreError: if a folder is not there, or has no recipe
    :raises OSError: if something cannot be copied
    """
    recipes = {} if recipe_folder is None else _recipes(_folder(recipe_folder, "recipes"), lite=store.lite)
    artifacts = None if artifact_folder is None else _folder(artifact_folder, "artifacts")
    if artifacts is not None:
        for path in sorted(artifacts.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(artifacts).parts):
                _copy(path, store.artifacts / path.relative_to(artifacts))
    for path, recipe in recipes.items():
        stem = f"{recipe.component_name}-{recipe.component_version}"
        _copy(path, store.recipes / f"{stem}{path.suffix}")
        for suffix in RECIPE_SUFFIXES:
            if suffix != path.suffix:
                (store.recipes / f"{stem}{suffix}").unlink(missing_ok=True)
    return list(recipes.values())


def _folder(path: str | Path, what: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise StoreError(f"folder of {what} {folder} is not there")
    return folder


def _recipes(folder: Path, *, lite: bool) -> dict[Path, Recipe]:
    found = {
        path: read_recipe(path, lite=lite)
        for path in sorted(folder.iterdir())
        if path.suffix in RECIPE_SUFFIXES and not path.name.startswith(("gdk-config.", "."))
    }
    if not found:
        raise StoreError(f"folder of recipes {folder} holds no recipe: expected files ending in .yaml, .yml or .json")
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    os.replace(fresh, target)  # noqa: PTH105 -- says better than Path.replace what happens to an existing file
