"""Limits that a deployment would meet: recipe 16,000 bytes, shadow 8 kB, artifacts 2 GB a component, nucleus lite's.

No message of the suite comes near the 128 KB of AWS IoT's MQTT: a shadow is the largest of them.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from vedette.documents import DocumentError, Finding, ModelUnit, ResolvedApplication
from vedette.documents.findings import general
from vedette.documents.model_files import ModelFile

SHADOW_BYTES: Final = 8 << 10
ARTIFACT_BYTES: Final = 2 << 30
LITE_POLICY_BYTES: Final = 4096
"""Nucleus lite reads the permissions of a component for one service into a buffer of this size."""
LITE_CONFIGURATION_BYTES: Final = 9700
"""Largest answer to GetConfiguration that nucleus lite sends, as AWS builds it."""


def check_limits(application: ResolvedApplication) -> list[Finding]:
    """Return a finding for each limit that the application is over."""
    return [*_recipes(application), *_shadow(application), *_artifacts(application), *_configuration(application)]


def _recipes(application: ResolvedApplication) -> Iterable[Finding]:
    """Compile where there are several models: with one, the recipe is a quarter of the limit and no name clashes."""
    if len(application.model_units) < 2:
        return ()
    from vedette.compiler import compile_application

    try:
        compiled = compile_application(_without_content(application))
    except DocumentError as error:
        return error.findings
    control = compiled.application.recipe["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"]
    sizes = [len(json.dumps(policies, separators=(",", ":"))) for policies in control.values()]
    return _too_large_for_lite("permissions", max(sizes), LITE_POLICY_BYTES, application)


def _configuration(application: ResolvedApplication) -> Iterable[Finding]:
    text = json.dumps(application.configuration().as_configuration(), separators=(",", ":"))
    return _too_large_for_lite("configuration", len(text), LITE_CONFIGURATION_BYTES, application)


def _too_large_for_lite(what: str, size: int, limit: int, application: ResolvedApplication) -> list[Finding]:
    if size <= limit:
        return []
    message = f"the application's {what} has {size} bytes: nucleus lite takes {limit}"
    return [general("V077", message, "the Java nucleus takes it", file=_file(application))]


def _shadow(application: ResolvedApplication) -> Iterable[Finding]:
    values = {item.input.node: item.value for item in application.parameters if item.input.node is not None}
    size = len(json.dumps({"state": {"desired": values}}, ensure_ascii=False, separators=(",", ":")).encode())
    if size > SHADOW_BYTES:
        message = f"the values of all parameters take {size} bytes: a device shadow holds {SHADOW_BYTES}"
        yield general("V075", message, "put long texts into a file of the application", file=_file(application))


def _artifacts(application: ResolvedApplication) -> Iterable[Finding]:
    sizes: dict[Path, int] = {application.code.package.folder: _bytes(f.source for f in application.code.files.files)}
    documents = {application.code.package.folder: application.code.package.document.file}
    for unit in application.model_units:
        paths = {file.path for file in (unit.file, *unit.side_files)}
        sizes[unit.package.folder] = sizes.get(unit.package.folder, 0) + _bytes(paths)
        documents[unit.package.folder] = unit.package.document.file
    for folder, size in sizes.items():
        if size > ARTIFACT_BYTES:
            message = f"package {folder.name} has {size} bytes: AWS takes at most {ARTIFACT_BYTES} for a component"
            yield general("V076", message, "split it, or leave out what is not needed", file=documents[folder])


def _bytes(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:
            continue  # gone meanwhile
    return total


def _file(application: ResolvedApplication) -> str:
    return application.code.package.document.file


@dataclass(frozen=True)
class _Unread(ModelFile):
    """A model file whose content does not matter: recipes hold names and hashes of fixed length."""

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.path} {self.member}".encode(errors="surrogateescape")).hexdigest()


def _without_content(application: ResolvedApplication) -> ResolvedApplication:
    units = {(unit.package.folder, unit.interface): _unread(unit) for unit in application.model_units}
    models = [
        replace(model, unit=units[model.unit.package.folder, model.unit.interface]) for model in application.models
    ]
    files = replace(application.code.files, files=(), requirements=None, dockerfile=None)
    return replace(
        application,
        models=tuple(models),
        model_units=tuple(units.values()),
        code=replace(application.code, files=files),
    )


def _unread(unit: ModelUnit) -> ModelUnit:
    def unread(file: ModelFile) -> ModelFile:
        return _Unread(file.name, file.path, file.member)

    return replace(unit, file=unread(unit.file), side_files=tuple(unread(file) for file in unit.side_files))
