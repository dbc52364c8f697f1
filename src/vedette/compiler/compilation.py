"""A resolved application becomes components: one for the application, one for each model package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vedette.application import MANIFEST_FILE, ApplicationManifest, ModelNode
from vedette.compiler.component import ArtifactFile, CompiledComponent, content_digest
from vedette.compiler.naming import application_component, component_version, model_component
from vedette.compiler.recipes import (
    APPLICATION_ARCHIVE,
    MAX_BYTES,
    MODEL_ARCHIVE,
    application_recipe,
    model_recipe,
    with_version,
)
from vedette.documents.application import ModelUnit, ResolvedApplication
from vedette.documents.findings import DocumentError, general
from vedette.documents.model_files import ModelFileError

_RESET: Final = ("/cameras", "/parameters", "/parameterOrigins", "/ports")


@dataclass(frozen=True)
class Compiled:
    """The components of one application instance and what its deployment configures."""

    application: CompiledComponent
    models: tuple[CompiledComponent, ...]
    manifest: ApplicationManifest
    configuration: Mapping[str, Any]
    """Merged into the application component's configuration by a deployment; holds no credentials."""
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Secret name -> {Username, Password, StreamUrl}, for the caller to store."""

    @property
    def components(self) -> tuple[CompiledComponent, ...]:
        """Return every component, the application last."""
        return (*self.models, self.application)

    def deployment(self) -> dict[str, dict[str, Any]]:
        """Return what a deployment says of this application: component -> version, merge, reset.

        The keys are reset first, so that a camera or value that is not given any more is gone; model components come
        as dependencies in their exact versions.
        """
        own = {"version": self.application.version, "merge": dict(self.configuration), "reset": list(_RESET)}
        return {self.application.name: own}


def compile_application(application: ResolvedApplication) -> Compiled:
    """Compile ``application``. Files are read for their digests; nothing is written.

    :raises DocumentError: if names clash, a recipe becomes too large, or a file cannot be read
    """
    try:
        return _compile(application)
    except (OSError, ModelFileError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        file = str(error.filename or "") if isinstance(error, OSError) else ""
        raise DocumentError([general("V001", f"file cannot be read: {reason}", file=file)]) from error


def _compile(application: ResolvedApplication) -> Compiled:
    models = _model_components(application.model_units)
    manifest = _manifest(application)
    used = {node.component for node in manifest.models}
    name = application_component(application.instance)
    versions = {model.name: model.version for model in models if model.name in used}
    files = _application_files(application, manifest)
    component = _component(
        name,
        application.code.package.version,
        application_recipe(name, application.instance, manifest, versions),
        APPLICATION_ARCHIVE,
        files,
    )
    configuration = application.configuration().as_configuration()
    # The recipe says it; and whether to sandbox is for the deployment alone to change.
    del configuration["sandbox"]
    return Compiled(component, tuple(models), manifest, configuration, application.secrets)


def _model_components(units: Sequence[ModelUnit]) -> list[CompiledComponent]:
    by_folder: dict[Path, list[ModelUnit]] = {}
    for unit in sorted(units, key=lambda unit: (unit.package.name, unit.package.version, unit.interface)):
        by_folder.setdefault(unit.package.folder, []).append(unit)
    taken: dict[str, Path] = {}
    components: list[CompiledComponent] = []
    for folder, members in by_folder.items():
        package = members[0].package
        name = model_component(package.name)
        # The Java nucleus reads names without regard to case.
        other = taken.setdefault(name.lower(), folder)
        if other != folder:
            message = f"packages {other.name} and {folder.name} both become the component {name}"
            raise DocumentError([general("V072", message, "give one of the packages another name")])
        files = tuple(
            ArtifactFile(f"{unit.interface}/{file.name}", file)
            for unit in members
            for file in (unit.file, *unit.side_files)
        )
        components.append(_component(name, package.version, model_recipe(name, package.name), MODEL_ARCHIVE, files))
    return components


def _component(
    name: str, version: str, recipe: dict[str, Any], archive: str, files: tuple[ArtifactFile, ...]
) -> CompiledComponent:
    full = component_version(version, content_digest(recipe, files))
    component = CompiledComponent(name, full, with_version(recipe, full), archive, files)
    size = len(component.recipe_text(bucket="b" * 63))
    if size > MAX_BYTES:
        message = f"the recipe of {name} has {size} bytes: AWS takes at most {MAX_BYTES}"
        raise DocumentError([general("V074", message, "use fewer models in one application")])
    return component


def _manifest(application: ResolvedApplication) -> ApplicationManifest:
    code = application.code
    return ApplicationManifest(
        name=application.name,
        code_node=code.node,
        code_package=code.package.name,
        version=code.package.version,
        description=application.description,
        entry=code.entry,
        inputs=[*application.media_inputs, *(parameter.input for parameter in application.parameters)],
        outputs=list(application.outputs),
        models=[
            ModelNode(
                node=model.node,
                component=model_component(model.unit.package.name),
                file=f"{model.unit.interface}/{model.unit.file.name}",
                format=model.unit.format,
                model_id=model.unit.model_id,
                inputs=list(model.unit.inputs),
            )
            for model in application.models
        ],
        inbound_ports=list(code.inbound_ports),
        gpu=application.gpu,
        requirements_file="requirements.txt" if code.files.requirements is not None else None,
        dockerfile="Dockerfile" if code.files.dockerfile is not None else None,
    )


def _application_files(application: ResolvedApplication, manifest: ApplicationManifest) -> tuple[ArtifactFile, ...]:
    code = application.code.files
    files = [ArtifactFile(MANIFEST_FILE, manifest.encode())]
    if code.requirements is not None:
        files.append(ArtifactFile("requirements.txt", code.requirements))
    if code.dockerfile is not None:
        files.append(ArtifactFile("Dockerfile", code.dockerfile))
    files += [ArtifactFile(f"{manifest.source_root}/{file.target}", file.source) for file in code.files]
    return tuple(files)
