"""Copies recipes and artifacts from a developer's folders into the component store."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from vedette.nucleus.errors import RecipeError, StoreError
from vedette.nucleus.next_patch import NEXT_PATCH, pin
from vedette.nucleus.recipe import Recipe, parse_recipe
from vedette.whole_files import write_whole

RECIPE_SUFFIXES: Final = (".yaml", ".yml", ".json")


class StoreFolders(Protocol):
    """Where a store keeps its files; ``ComponentStore`` is one."""

    recipes: Path
    artifacts: Path
    lite: bool

    def versions(self, name: str) -> Sequence[Recipe]:
        """Return the recipes of every version of ``name``, newest first."""


def copy_into(
    store: StoreFolders, recipe_folder: str | Path | None, artifact_folder: str | Path | None
) -> list[Recipe]:
    """Copy what the folders hold; return the recipes.

    Each file is renamed into place, so a process that is killed leaves the old one or the new one. GDK's
    ``NEXT_PATCH`` becomes a version, in recipes and in the folders of their artifacts.

    :raises RecipeError: if a recipe cannot be read; nothing was copied
    :raises StoreError: if a folder is not there, or has no recipe
    :raises OSError: if something cannot be copied
    """
    incoming = [] if recipe_folder is None else _recipes(_folder(recipe_folder, "recipes"), store)
    artifacts = None if artifact_folder is None else _folder(artifact_folder, "artifacts")
    pinned = {found.recipe.component_name: found.pinned for found in incoming if found.pinned is not None}
    if artifacts is not None:
        for path in sorted(artifacts.rglob("*")):
            parts = list(path.relative_to(artifacts).parts)
            if path.is_file() and not any(part.startswith(".") for part in parts):
                if len(parts) > 1 and parts[1] == NEXT_PATCH:
                    parts[1] = pinned.get(parts[0], NEXT_PATCH)
                _copy(path, store.artifacts.joinpath(*parts))
    if incoming:
        store.recipes.mkdir(parents=True, exist_ok=True)
    for found in incoming:
        stem = f"{found.recipe.component_name}-{found.recipe.component_version}"
        write_whole(store.recipes / f"{stem}{found.suffix}", found.data)
        for suffix in RECIPE_SUFFIXES:
            if suffix != found.suffix:
                (store.recipes / f"{stem}{suffix}").unlink(missing_ok=True)
    return [found.recipe for found in incoming]


@dataclass(frozen=True)
class _Incoming:
    recipe: Recipe
    data: bytes
    suffix: str
    pinned: str | None


def _folder(path: str | Path, what: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise StoreError(f"folder of {what} {folder} is not there")
    return folder


def _recipes(folder: Path, store: StoreFolders) -> list[_Incoming]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix in RECIPE_SUFFIXES and not path.name.startswith(("gdk-config.", ".")):
            try:
                data, pinned = pin(path.read_bytes(), store.versions)
            except OSError as error:
                raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from error
            recipe = parse_recipe(data, str(path), lite=store.lite, lenient=True)
            found.append(_Incoming(recipe, data, path.suffix, pinned))
    if not found:
        raise StoreError(f"folder of recipes {folder} holds no recipe: expected files ending in .yaml, .yml or .json")
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    os.replace(fresh, target)  # noqa: PTH105 -- says better than Path.replace what happens to an existing file
