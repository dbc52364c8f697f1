"""A resolved application becomes components: one for the application, one for each model package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from vedette.application import MANIFEST_FILE, ApplicationManifest, ContainerAsset, ModelNode
from vedette.compiler.component import ArtifactFile, BesideArtifact, CompiledComponent, content_digest
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

# accessControl too: the Java nucleus keeps what it has before a new recipe's defaults, and an application whose model
# was changed would never get the permission to ask for it.
_RESET: Final = ("/accessControl", "/cameras", "/parameters", "/parameterOrigins", "/ports", "/role")


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


def compile_application(application: ResolvedApplication, *, role: str | None = None) -> Compiled:
    """Compile ``application``. Files are read for their digests; nothing is written.

    :param role: ARN of the AWS role that the application is given

    :raises DocumentError: if a recipe becomes too large, or a file cannot be read
    """
    try:
        return _compile(application, role)
    except (OSError, ModelFileError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        file = str(error.filename or "") if isinstance(error, OSError) else ""
        raise DocumentError([general("V001", f"file cannot be read: {reason}", file=file)]) from error


def _compile(application: ResolvedApplication, role: str | None) -> Compiled:
    by_folder = _model_components(application.model_units)
    models = {model.name: model for model in by_folder.values()}
    manifest = _manifest(application, {folder: model.name for folder, model in by_folder.items()})
    used = {node.component for node in manifest.models}
    name = application_component(application.instance)
    versions = {model.name: model.version for model in models.values() if model.name in used}
    files = _application_files(application, manifest)
    recipe = application_recipe(name, application.instance, manifest, versions, role=role is not None)
    # What lies beside is named by its content in the manifest, and so part of the digest.
    version = component_version(application.code.package.version, content_digest(recipe, files))
    component = replace(_component(name, version, recipe, APPLICATION_ARCHIVE, files), beside=_beside(application))
    configuration = application.configuration().as_configuration()
    # These are for whoever deploys alone: a default here would undo what they have set.
    for key in ("sandbox", "logLevel", "network", "restartOnChange", "environment", "limits"):
        del configuration[key]
    if role is not None:
        configuration["role"] = role
    return Compiled(component, tuple(models.values()), manifest, configuration, application.secrets)


def _model_components(units: Sequence[ModelUnit]) -> dict[Path, CompiledComponent]:
    """Return the component of each package folder; folders of equal name, version and content have the same one."""
    by_folder: dict[Path, list[ModelUnit]] = {}
    for unit in sorted(units, key=lambda unit: (unit.package.name, unit.package.version, unit.interface)):
        by_folder.setdefault(unit.package.folder, []).append(unit)
    components: dict[Path, CompiledComponent] = {}
    for folder, members in by_folder.items():
        package = members[0].package
        files = tuple(
            ArtifactFile(f"{unit.interface}/{file.name}", file)
            for unit in members
            for file in (unit.file, *unit.side_files)
        )
        # The description holds the package's name and version, so names that differ in case only get other digests:
        # the Java nucleus reads component names without regard to case.
        digest = content_digest(model_recipe("", package.name, package.version), files)
        name = model_component(package.name, digest)
        recipe = model_recipe(name, package.name, package.version)
        components[folder] = _component(name, component_version(package.version, digest), recipe, MODEL_ARCHIVE, files)
    return components


def _component(
    name: str, version: str, recipe: dict[str, Any], archive: str, files: tuple[ArtifactFile, ...]
) -> CompiledComponent:
    component = CompiledComponent(name, version, with_version(recipe, version), archive, files)
    size = len(component.recipe_text(bucket="b" * 63))
    if size > MAX_BYTES:
        message = f"the recipe of {name} has {size} bytes: AWS takes at most {MAX_BYTES}"
        raise DocumentError([general("V074", message, "use fewer models in one application")])
    return component


def _manifest(application: ResolvedApplication, components: Mapping[Path, str]) -> ApplicationManifest:
    """Return the manifest; ``components`` are the models' component names, by the folders of their packages."""
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
                component=components[model.unit.package.folder],
                file=f"{model.unit.interface}/{model.unit.file.name}",
                format=model.unit.format,
                model_id=model.unit.model_id,
                inputs=list(model.unit.inputs),
                frames=dict(model.unit.frames) if model.unit.frames is not None else None,
            )
            for model in application.models
        ],
        inbound_ports=list(code.inbound_ports),
        gpu=application.gpu,
        requirements_file="requirements.txt" if code.files.requirements is not None else None,
        dockerfile="Dockerfile" if code.files.dockerfile is not None else None,
        container=_container(application),
        has_sources=_has_sources(application),
    )


def _container(application: ResolvedApplication) -> ContainerAsset | None:
    found = application.code.container
    if found is None:
        return None
    return ContainerAsset(file=f"{found.sha256}.tar.gz", sha256=found.sha256, architecture=found.architecture)


def _has_sources(application: ResolvedApplication) -> bool:
    """Tell whether the package's own files are enough to start it: what its entry names is among them."""
    code = application.code
    targets = {file.target for file in code.files.files}
    name = code.entry.name
    return name.removeprefix("/panorama/") in targets if name.startswith("/panorama/") else bool(targets)


def _beside(application: ResolvedApplication) -> tuple[BesideArtifact, ...]:
    found = application.code.container
    return () if found is None else (BesideArtifact(f"{found.sha256}.tar.gz", found.path, found.sha256),)


def _application_files(application: ResolvedApplication, manifest: ApplicationManifest) -> tuple[ArtifactFile, ...]:
    code = application.code.files
    files = [ArtifactFile(MANIFEST_FILE, manifest.encode())]
    if code.requirements is not None:
        files.append(ArtifactFile("requirements.txt", code.requirements))
    if code.dockerfile is not None:
        files.append(ArtifactFile("Dockerfile", code.dockerfile))
    files += [ArtifactFile(f"{manifest.source_root}/{file.target}", file.source) for file in code.files]
    return tuple(files)
