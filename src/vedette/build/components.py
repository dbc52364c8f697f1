"""Builds Vedette's own components: recipe with its artifact's place filled in, and the artifact.

The layout is that of the component store and of GDK's greengrass-build folder::

    <out>/recipes/<name>-<version>.yaml
    <out>/artifacts/<name>/<version>/<archive>.zip      vedette.Runtime: one for each architecture
"""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import vedette
from vedette.build.archive import BuildError, write_if_changed, write_zip
from vedette.build.wheels import ARCHITECTURES, PYTHONS, collect_wheels
from vedette.resources import checkout_dir, recipes_dir, runtime_dir

LOCAL_BUCKET: Final = "local"
"""Bucket name in the artifact URIs of local builds; nothing is ever fetched from it."""


@dataclass(frozen=True)
class OwnComponent:
    """One of Vedette's components: its Greengrass name, its archive's stem, and its Python package, if it has them."""

    name: str
    archive: str | None = None
    package: str | None = None

    def archives(self) -> dict[str, str | None]:
        """Return the stems of its archives, and for which architecture each is; None is any."""
        if self.archive is None:
            return {}
        if self.package is not None:
            return {self.archive: None}
        # Wheels are made for one architecture each; a device gets those of its own.
        return {f"{self.archive}-{architecture}": architecture for architecture in ARCHITECTURES}


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
    artifacts: tuple[Path, ...]
    changed: bool


def build_component(
    name: str, out: Path, *, bucket: str = LOCAL_BUCKET, wheels: Sequence[str] | None = None
) -> BuiltComponent:
    """Build one of Vedette's components from the checkout or the installed packages into ``out``.

    The version is this package's; ``bucket`` is the S3 bucket in the artifact URI (GDK's ``BUCKET_NAME`` keeps the
    placeholder for ``gdk component publish``).

    :param wheels: Pythons whose wheels vedette.Runtime gets, for each architecture; None: none are put in

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
    changed = False
    artifacts = []
    for archive, architecture in component.archives().items():
        artifact = folder / f"{archive}.zip"
        changed |= write_zip(artifact, _contents(component, architecture, wheels or ()))
        artifacts.append(artifact)
    changed |= write_if_changed(recipe, text.encode())
    return BuiltComponent(name=name, version=version, recipe=recipe, artifacts=tuple(artifacts), changed=changed)


def build_for_gdk(name: str, out: Path) -> BuiltComponent:
    """Build one component into GDK's ``greengrass-build`` folder.

    ``gdk component publish`` looks for the recipe under the name of the file beside gdk-config.json, after following
    links: ``recipe.yaml`` of a component's folder here is a link to ``recipes/<name>.yaml``.

    :raises BuildError: as ``build_component`` does
    """
    built = build_component(name, out, bucket="BUCKET_NAME", wheels=wheels_wanted())
    recipe = built.recipe.with_name((out.absolute().parent / "recipe.yaml").resolve().name)
    built.recipe.replace(recipe)
    return replace(built, recipe=recipe)


def fill_store(root: Path, names: Sequence[str] | None = None) -> list[BuiltComponent]:
    """Build Vedette's components (all, or ``names``) into the component store of the nucleus at ``root``.

    :raises BuildError: as ``build_component`` does
    """
    wanted = [component.name for component in OWN_COMPONENTS] if names is None else names
    return [build_component(name, root / "packages") for name in wanted]


def wheels_wanted(environ: Mapping[str, str] = os.environ) -> Sequence[str]:
    """Return the Pythons whose wheels a build for devices puts in: all, or what ``VEDETTE_WHEELS`` says.

    :raises BuildError: if it says something else than ``none`` or Pythons such as ``3.11,3.12``
    """
    said = environ.get("VEDETTE_WHEELS", ",".join(PYTHONS))
    if said == "none":
        return ()
    pythons = [python.strip() for python in said.split(",")]
    if not pythons or not set(pythons) <= set(PYTHONS):
        raise BuildError(f"VEDETTE_WHEELS is {said!r}: expected none, or some of {', '.join(PYTHONS)}")
    return pythons


def _contents(component: OwnComponent, architecture: str | None, wheels: Sequence[str]) -> dict[str, Path]:
    if component.package is not None:
        return {component.package: _package_folder(component)}
    folder = runtime_dir()
    contents = {"install.py": folder / "install.py"}
    if wheels and architecture is not None:
        checkout = checkout_dir()
        if checkout is None:
            raise BuildError(
                "wheels are bundled from a checkout of Vedette, and this is an installed package; "
                "VEDETTE_WHEELS=none builds vedette.Runtime without them"
            )
        contents["wheels"] = collect_wheels(checkout, folder / "wheels" / architecture, architecture, wheels)
    return contents


def _package_folder(component: OwnComponent) -> Path:
    package, checkout = component.package or "", checkout_dir()
    if checkout is not None and (folder := checkout / "components" / (component.archive or "") / package).is_dir():
        return folder
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise BuildError(
            f"the Python package {package} is missing; install Vedette again (pip install --force-reinstall vedette)"
        )
    return Path(found.origin).parent
