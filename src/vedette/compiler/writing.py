"""Writes compiled components: recipes and reproducible archives, in the layout of a component store."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vedette.build import write_if_changed, write_zip
from vedette.build.components import LOCAL_BUCKET
from vedette.compiler.compilation import Compiled
from vedette.compiler.component import BUCKET, CompiledComponent
from vedette.documents.model_files import ModelFile


@dataclass(frozen=True)
class WrittenComponent:
    """Where a component was written; ``changed`` tells whether any byte differs from what was there."""

    name: str
    version: str
    recipe: Path
    artifact: Path
    changed: bool
    beside: tuple[Path, ...] = ()
    """Artifacts beside the archive."""


def write_store(compiled: Compiled, root: Path) -> list[WrittenComponent]:
    """Write into the component store of the nucleus at ``root``: ``<root>/packages/{recipes,artifacts}``.

    A version that is there already is not packed again: versions are made of content. Other versions of the
    application are taken out: patch numbers have no order, so whoever asks for the newest would get any of them. What
    is unpacked stays, for a process that still runs from it; models stay, because applications name their version.

    :raises vedette.build.BuildError: if a file cannot be packed
    :raises vedette.documents.model_files.ModelFileError: if a model archive cannot be read
    """
    packages = root / "packages"
    written = write_components(compiled.components, packages, bucket=LOCAL_BUCKET)
    _forget_others(compiled.application, packages)
    return written


def _forget_others(component: CompiledComponent, packages: Path) -> None:
    artifacts = packages / "artifacts" / component.name
    for folder in artifacts.iterdir():
        if folder.name != component.version:
            # The recipe goes first: without it nothing asks for the artifact.
            (packages / "recipes" / f"{component.name}-{folder.name}.yaml").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def write_components(
    components: Iterable[CompiledComponent], out: Path, *, bucket: str = BUCKET
) -> list[WrittenComponent]:
    """Write recipes and artifacts below ``out``: ``recipes/<name>-<version>.yaml``, ``artifacts/<name>/<version>/``.

    :raises vedette.build.BuildError: if a file cannot be packed
    :raises vedette.documents.model_files.ModelFileError: if a model archive cannot be read
    """
    return [_write(component, out, bucket) for component in components]


def _write(component: CompiledComponent, out: Path, bucket: str) -> WrittenComponent:
    recipe = out / "recipes" / f"{component.name}-{component.version}.yaml"
    artifact = out / "artifacts" / component.name / component.version / f"{component.archive}.zip"
    changed = False
    # The recipe is written last: where it is, the artifact is whole.
    if not artifact.is_file() or not recipe.is_file():
        with tempfile.TemporaryDirectory(prefix="vedette-compile-") as folder:
            changed = write_zip(artifact, _contents(component, Path(folder)))
    beside = tuple(artifact.with_name(each.name) for each in component.beside)
    for each, target in zip(component.beside, beside, strict=True):
        changed |= _place(each.path, target)
    changed |= write_if_changed(recipe, component.recipe_text(bucket))
    return WrittenComponent(component.name, component.version, recipe, artifact, changed, beside)


def _place(source: Path, target: Path) -> bool:
    """Put a file of gigabytes in its place, named by its content: by a link where the disk is the same."""
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return False
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        fresh.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, fresh)
    fresh.replace(target)
    return True


def _contents(component: CompiledComponent, folder: Path) -> dict[str, Path]:
    contents: dict[str, Path] = {}
    for number, file in enumerate(component.files):
        if isinstance(file.content, Path):
            contents[file.place] = file.content
            continue
        target = folder / str(number)
        if isinstance(file.content, ModelFile):
            file.content.copy_to(target)
        else:
            target.write_bytes(file.content)
        contents[file.place] = target
    return contents
