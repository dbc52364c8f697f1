"""Writes all that a compiled application is into one folder: the same bytes for the same input.

::

    recipes/<component>-<version>.yaml
    artifacts/<component>/<version>/<archive>.zip
    deployment.json              input of CreateDeployment
    deployment.device.json       the same as a device gets it
    shadows/<shadow>.json        payload of UpdateThingShadow
    secrets.json                 names of secrets and what they must hold
    compiled.json                what all of this is, and the list of files

docs/ref/compile.md explains each, key by key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import vedette
from vedette.application.shadow import desired_parameters, shadow_name
from vedette.build import BuildError, write_if_changed
from vedette.compiler.compilation import Compiled
from vedette.compiler.component import BUCKET
from vedette.compiler.deployment import Target, create_deployment, device_document
from vedette.compiler.needed_secrets import needed_secrets
from vedette.compiler.writing import WrittenComponent, write_components
from vedette.documents.model_files import sha256_of
from vedette.whole_files import PRIVATE, write_whole

INDEX_FILE: Final = "compiled.json"
_SCHEMA: Final = "vedette.compiled/1"


@dataclass(frozen=True)
class WrittenFolder:
    """What was written; ``changed`` and ``removed`` are paths relative to the folder."""

    index: Mapping[str, Any]
    """The content of compiled.json."""
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def write_folder(compiled: Compiled, out: Path, *, bucket: str = BUCKET, target: Target | None = None) -> WrittenFolder:
    """Write everything into ``out``; files of an earlier compilation that are not there any more are removed.

    :param bucket: S3 bucket in the artifacts' URIs; GDK's placeholder unless given
    :raises vedette.build.BuildError: if a file cannot be packed, or ``out`` holds something else
    :raises vedette.documents.model_files.ModelFileError: if a model archive cannot be read
    :raises OSError: if something cannot be written
    """
    before = _earlier_files(out)
    if not (out / INDEX_FILE).exists():
        # So that the folder is known for ours, should this be cut short.
        write_if_changed(out / INDEX_FILE, _text({"schema": _SCHEMA, "files": []}))
    components = write_components(compiled.components, out, bucket=bucket)
    documents = _documents(compiled, target)
    changed = [path.relative_to(out).as_posix() for item in components if item.changed for path in _paths(item)]
    changed += [name for name, content in documents.items() if write_if_changed(out / name, _text(content))]
    files = sorted([path.relative_to(out).as_posix() for item in components for path in _paths(item)] + list(documents))
    index = _index(compiled, components, files, out)
    if write_if_changed(out / INDEX_FILE, _text(index)):
        changed.append(INDEX_FILE)
    removed = sorted(before - set(files))
    for name in removed:
        _remove(out, name)
    return WrittenFolder(index, tuple(changed), tuple(removed))


def write_secrets(secrets: Mapping[str, Mapping[str, str]], path: Path) -> None:
    """Write secrets with their values to ``path``, which only its owner may read: ``{NAME: {Username, ...}}``.

    :raises OSError: if it cannot be written
    """
    text = json.dumps({name: dict(secrets[name]) for name in sorted(secrets)}, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text.encode(), mode=PRIVATE)


def _documents(compiled: Compiled, target: Target | None) -> dict[str, Any]:
    instance = compiled.configuration["instance"]
    return {
        "deployment.json": create_deployment(compiled, target),
        "deployment.device.json": device_document(compiled, target),
        f"shadows/{shadow_name(instance)}.json": desired_parameters(compiled.configuration["parameters"]),
        "secrets.json": {
            "schema": "vedette.secrets/1",
            "secrets": [secret.document() for secret in needed_secrets(compiled)],
        },
    }


def _index(compiled: Compiled, components: list[WrittenComponent], files: list[str], out: Path) -> dict[str, Any]:
    instance = compiled.configuration["instance"]
    return {
        "schema": _SCHEMA,
        "suite": vedette.__version__,
        "application": compiled.manifest.name,
        "instance": instance,
        "shadow": shadow_name(instance),
        "components": [
            {
                "name": item.name,
                "version": item.version,
                "recipe": item.recipe.relative_to(out).as_posix(),
                "artifact": item.artifact.relative_to(out).as_posix(),
                "artifactSha256": sha256_of(item.artifact),
                "artifactBytes": item.artifact.stat().st_size,
                "moreArtifacts": [path.relative_to(out).as_posix() for path in item.beside],
            }
            for item in components
        ],
        "files": files,
    }


def _paths(item: WrittenComponent) -> tuple[Path, ...]:
    return item.recipe, item.artifact, *item.beside


def _text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _earlier_files(out: Path) -> set[str]:
    """Return the files that an earlier compilation wrote; an empty set for a new folder."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return set()
    hint = "give a new or empty folder, or one that was written by an earlier compilation"
    if not out.is_dir():
        raise BuildError(f"{out} is not a folder: {hint}")
    try:
        index = json.loads((out / INDEX_FILE).read_text(encoding="utf-8"))
        files = {str(name) for name in index["files"]} if index["schema"] == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        files = None
    if files is None:
        raise BuildError(f"{out} holds other files and no {INDEX_FILE}: {hint}")
    return files


def _remove(out: Path, name: str) -> None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or not (out / place).parent.resolve().is_relative_to(out.resolve()):
        return  # not what this program wrote
    (out / place).unlink(missing_ok=True)
    for folder in list(place.parents)[:-1]:
        try:
            (out / folder).rmdir()
        except OSError:
            return
