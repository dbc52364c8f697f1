"""Builds Vedette's own components: recipe with its artifact's place filled in, and the artifact.

The layout is that of the component store and of GDK's greengrass-build folder::

    <out>/recipes/<name>-<version>.yaml
    <out>/artifacts/<name>/<version>/<archive>.zip
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import vedette
from vedette.build.archive import BuildError, write_if_changed, write_zip
from vedette.resources import recipes_dir, runtime_dir

LOCAL_BUCKET: Final = "local"
"""Bucket name in the artifact URIs of local builds; nothing is ever fetched from it."""


@dataclass(frozen=True)
class OwnComponent:
    """One of Vedette's components: its Greengrass name, its archive's stem, and its Python package, if it has them."""

    name: str
    archive: str | None = None
    package: str | None = None


OWN_COMPONENTS: Final = (
    OwnComponent("vedette.Suite"),
    OwnComponent("vedette.Runtime", "runtime"),
    OwnComponent("vedette.CameraIngest", "camera_ingest", "vedette_camera_ingest"),
    OwnComponent("vedette.ModelInference", "model_inference", "vedette_model_inference"),
    OwnComponent("vedette.AppRuntime", "app_runtime", "vedette_app_runtime"),
    OwnComponent("vedette.Display", "display", "vedette_display"),
    OwnComponent("vedette.DeviceMonitor", "device_monitor", "vedette_device_monitor"),
)


@dataclass(frozen=True)
class BuiltComponent:
    """What a build wrote; ``changed`` tells whether any byte differs from what was there."""

    name: str
    version: str
    recipe: Path
    artifact: Path | None
    changed: bool


def build_component(name: str, out: Path, *, bucket: str = LOCAL_BUCKET) -> BuiltComponent:
    """Build one of Vedette's components from the checkout or the installed packages into ``out``.

    The version is this package's; ``bucket`` is the S3 bucket in the artifact URI (GDK's ``BUCKET_NAME`` keeps the
    placeholder for ``gdk component publish``).

    :raises BuildError: if ``name`` is none of Vedette's components, or files are missing
    """
    component = next((known for known in OWN_COMPONENTS if known.name == name), None)
    if component is None:
        known = ", ".join(known.name for known in OWN_COMPONENTS)
        raise BuildError(f"{name} is none of Vedette's components: expected one of {known}")
    version = vedette.__version__
    source = recipes_dir() / f"{name}.yaml"
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"recipe {source} cannot be read: {error.strerror}") from error
    for placeholder, value in {
        "BUCKET_NAME": bucket,
        "COMPONENT_NAME": name,
        "COMPONENT_VERSION": version,
    }.items():
        text = text.replace(placeholder, value)
    recipe = out / "recipes" / f"{name}-{version}.yaml"
    folder = out / "artifacts" / name / version
    folder.mkdir(parents=True, exist_ok=True)  # GDK wants the folder of a component without artifacts, too
    artifact = folder / f"{component.archive}.zip" if component.archive else None
    changed = artifact is not None and write_zip(artifact, _contents(component))
    changed |= write_if_changed(recipe, text.encode())
    return BuiltComponent(name=name, version=version, recipe=recipe, artifact=artifact, changed=changed)


def build_for_gdk(name: str, out: Path) -> BuiltComponent:
    """Build one component into GDK's ``greengrass-build`` folder, whose recipe is called ``recipe.yaml``.

    :raises BuildError: as ``build_component`` does
    """
    built = build_component(name, out, bucket="BUCKET_NAME")
    recipe = built.recipe.with_name("recipe.yaml")
    built.recipe.replace(recipe)
    return replace(built, recipe=recipe)


def fill_store(root: Path, names: Sequence[str] | None = None) -> list[BuiltComponent]:
    """Build Vedette's components (all, or ``names``) into the component store of the nucleus at ``root``.

    :raises BuildError: as ``build_component`` does
    """
    wanted = [component.name for component in OWN_COMPONENTS] if names is None else names
    return [build_component(name, root / "packages") for name in wanted]


def _contents(component: OwnComponent) -> dict[str, Path]:
    if component.package is not None:
        return {component.package: _package_folder(component.package)}
    folder = runtime_dir()
    contents = {"install.py": folder / "install.py"}
    if (folder / "wheels").is_dir():
        contents["wheels"] = folder / "wheels"
    return contents


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise BuildError(
            f"the Python package {package} is missing; install Vedette again (pip install --force-reinstall vedette)"
        )
    return Path(found.origin).parent
