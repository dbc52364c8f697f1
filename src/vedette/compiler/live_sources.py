"""An application's files as a folder, in place of an archive: what is run again at once when a developer saves one."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from vedette.compiler.compilation import Compiled
from vedette.compiler.component import ArtifactFile, CompiledComponent

_KEPT: Final = 2
"""The folder that an application still runs from, and the one that it is to run from."""


def only_files_differ(before: Compiled, after: Compiled) -> bool:
    """Tell whether an application that runs as ``before`` needs nothing but its files to run as ``after``."""
    models = [[(model.name, model.version) for model in each.models] for each in (before, after)]
    return (
        before.manifest == after.manifest
        and before.configuration == after.configuration
        and before.application.name == after.application.name
        and before.application.beside == after.application.beside
        and models[0] == models[1]
    )


def write_live_sources(component: CompiledComponent, folder: Path) -> Path:
    """Write the component's files below ``folder``; return the new folder that holds them, named by their content.

    Files that have not changed are links to those of the folder before: an application may hold gigabytes of weights.
    :raises OSError: if a file cannot be read or written
    """
    name = hashlib.sha256("\n".join(file.digest() for file in component.files).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    earlier = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    target, fresh = folder / name, folder / f".{name}.new"
    if not target.is_dir():
        shutil.rmtree(fresh, ignore_errors=True)
        for file in component.files:
            _write(file, fresh / file.place, earlier[-1] / file.place if earlier else None)
        fresh.rename(target)
    os.utime(target)
    for path in [path for path in earlier if path != target][: -(_KEPT - 1)]:
        shutil.rmtree(path, ignore_errors=True)
    return target


def _write(file: ArtifactFile, target: Path, before: Path | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, bytes):
        target.write_bytes(file.content)
    elif not isinstance(file.content, Path):
        file.content.copy_to(target)
    elif before is not None and _same(file.content, before):
        target.hardlink_to(before)
    else:
        shutil.copy2(file.content, target)


def _same(source: Path, copy: Path) -> bool:
    try:
        one, other = source.stat(), copy.stat()
    except OSError:
        return False
    return (one.st_size, one.st_mtime_ns, one.st_mode) == (other.st_size, other.st_mtime_ns, other.st_mode)
