"""The component store: recipes and artifacts on disk, in the folders AWS's nucleus uses.

::

    <root>/packages/recipes/<name>-<version>.yaml | .json
    <root>/packages/artifacts/<name>/<version>/<file>
    <root>/packages/artifacts-unarchived/<name>/<version>/<stem>/
    <root>/packages/.added.json                               what deployments brought: [[name, version], ...]
"""

import ctypes
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from vedette.nucleus.errors import RecipeError, StoreError
from vedette.nucleus.recipe import Artifact, Recipe, Version, read_recipe
from vedette.nucleus.store_copy import RECIPE_SUFFIXES, copy_into
from vedette.nucleus.unpacking import unpack
from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)

_ADDED: Final = ".added.json"


class ComponentStore:
    """Finds recipes and artifacts below ``root``; makes nothing but unpacked folders."""

    def __init__(self, root: Path, *, lite: bool = False) -> None:
        """``lite``: read recipes as nucleus lite does."""
        self.lite = lite
        self.packages = root / "packages"
        self.recipes = self.packages / "recipes"
        self.artifacts = self.packages / "artifacts"
        self._unsynced = False
        self._read: dict[Path, tuple[tuple[int, int], Recipe]] = {}

    def artifacts_folder(self, name: str, version: str) -> Path:
        """Return the folder of a version's artifacts: ``{artifacts:path}``."""
        return self.artifacts / name / version

    def decompressed_folder(self, name: str, version: str) -> Path:
        """Return the folder of a version's unpacked artifacts: ``{artifacts:decompressedPath}``."""
        return self.packages / "artifacts-unarchived" / name / version

    def tidy(self, used: Collection[tuple[str, str]]) -> None:
        """Remove what was unpacked of other versions than ``used``, and earlier versions that deployments brought.

        What somebody put into the store stays, and so does the newest version of what runs no more. AWS's nuclei remove
        every version that nothing runs (``ComponentManager.cleanupStaleVersions``).
        """
        for path in self.decompressed_folder("", "").glob("*/*"):
            if (path.parent.name, path.name) not in used:
                shutil.rmtree(path, ignore_errors=True)
        added = self._added()
        newest = dict(sorted(added, key=lambda item: Version.parse(item[1])))
        running = {name for name, _ in used}
        stale = {(name, version) for name, version in added - set(used) if name in running or newest[name] != version}
        for name, version in stale:
            for suffix in RECIPE_SUFFIXES:
                (self.recipes / f"{name}-{version}{suffix}").unlink(missing_ok=True)
            shutil.rmtree(self.artifacts_folder(name, version), ignore_errors=True)
        if stale:
            self._write_added(added - stale)

    def versions(self, name: str) -> list[Recipe]:
        """Return the recipes of every version of ``name`` in the store, newest first.

        :raises RecipeError: if one of them cannot be read, or names another component than its file does
        """
        found: dict[Version, Recipe] = {}
        for path in self._files(name):
            recipe = self._recipe(path)
            if f"{recipe.component_name}-{recipe.component_version}" != path.stem:
                if recipe.component_name.startswith(f"{name}-"):
                    continue  # "a-b-1.0.0" is version 1.0.0 of "a-b", not version "b-1.0.0" of "a"
                raise RecipeError(
                    f"recipe {path} is of {recipe.component_name} {recipe.component_version}: the file must be named "
                    f"{recipe.component_name}-{recipe.component_version}{path.suffix}"
                )
            if recipe.component_name == name:
                found[recipe.version] = recipe
        return [found[version] for version in sorted(found, reverse=True)]

    def names(self) -> list[str]:
        """Return the names of all components in the store, sorted."""
        return sorted({self._recipe(path).component_name for path in self._files("")})

    def add(self, recipe_folder: str | Path | None, artifact_folder: str | Path | None) -> list[Recipe]:
        """Copy recipes and artifacts (``<component>/<version>/<file>``) into the store; return the recipes.

        What is there of the same version is replaced, file by file.

        :raises RecipeError: if a recipe cannot be read; nothing was copied
        :raises StoreError: if a folder is not there, or something cannot be copied
        """
        try:
            self._unsynced = True
            recipes = copy_into(self, recipe_folder, artifact_folder)
            if recipes:
                self._write_added(self._added() | {(item.component_name, item.component_version) for item in recipes})
        except OSError as error:
            raise StoreError(f"{error.filename or 'a file'} cannot be copied: {error.strerror}") from error
        return recipes

    def prepare(self, recipe: Recipe, artifacts: Iterable[Artifact]) -> str:
        """Check that every artifact is there, unpack the ZIP files, and return a digest of all their content.

        :raises StoreError: if artifacts are missing, of an unknown kind, or cannot be unpacked; names all of them
        """
        name, version = recipe.component_name, recipe.component_version
        findings: list[str] = []
        digests: list[str] = []
        for artifact in artifacts:
            digest, finding = self._try_prepare(name, version, artifact)
            digests.append(digest)
            findings += finding
        if findings:
            raise StoreError(*findings)
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def sync(self) -> None:
        """Wait until what was copied and unpacked is on the disk, so that power that fails takes none of it."""
        if not self._unsynced:
            return
        folder = os.open(self.packages, os.O_RDONLY | os.O_DIRECTORY)
        try:
            ctypes.CDLL(None).syncfs(folder)  # one call in the place of a sync for each file
        finally:
            os.close(folder)
        self._unsynced = False

    def _added(self) -> set[tuple[str, str]]:
        try:
            return {(name, version) for name, version in json.loads((self.packages / _ADDED).read_bytes())}
        except (OSError, ValueError, TypeError):
            return set()

    def _write_added(self, added: Collection[tuple[str, str]]) -> None:
        self.packages.mkdir(parents=True, exist_ok=True)
        write_whole(self.packages / _ADDED, json.dumps(sorted(added)).encode())

    def _try_prepare(self, name: str, version: str, artifact: Artifact) -> tuple[str, Sequence[str]]:
        try:
            return self._prepare(name, version, artifact), ()
        except StoreError as error:
            return "", error.findings

    def _prepare(self, name: str, version: str, artifact: Artifact) -> str:
        if not artifact.uri.startswith("s3://"):
            raise StoreError(
                f"{name} {version}: artifact {artifact.uri} is of a kind the local nucleus does not fetch; "
                f"it takes s3:// artifacts, from the component store"
            )
        path = self.artifacts_folder(name, version) / artifact.file_name
        if not path.is_file():
            raise StoreError(f"{name} {version}: artifact {artifact.uri} is not in the store: expected the file {path}")
        executable = artifact.permission.execute != "NONE"
        if artifact.unarchive == "ZIP":
            digest, changed = unpack(path, self.decompressed_folder(name, version), executable=executable)
            self._unsynced = self._unsynced or changed
            return digest
        if executable:
            path.chmod(path.stat().st_mode | 0o100)
        status = path.stat()
        return f"{artifact.file_name}:{status.st_size}:{status.st_mtime_ns}"

    def _files(self, name: str) -> Sequence[Path]:
        prefix = f"{name}-" if name else ""
        try:
            entries = sorted(self.recipes.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"component store {self.recipes} cannot be read: {error.strerror}") from error
        return [path for path in entries if path.suffix in RECIPE_SUFFIXES and path.name.startswith(prefix)]

    def _recipe(self, path: Path) -> Recipe:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, read_recipe(path, lite=self.lite, lenient=True))
            self._read[path] = known
        return known[1]
