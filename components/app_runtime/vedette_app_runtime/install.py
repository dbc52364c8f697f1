"""The install step of an application's component: its Python environment is made before it is started."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from vedette.application import MANIFEST_FILE, ApplicationManifest, ApplicationManifestError, EnvironmentChoice
from vedette_app_runtime.environments import Environment
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.preparation import preparing

_CHOICES: Final[Mapping[str, EnvironmentChoice]] = {"container": "container", "sources": "sources"}


def read_manifest(application_dir: Path) -> ApplicationManifest:
    """Read the manifest of the application in ``application_dir``.

    :raises ApplicationManifestError: when it is missing or cannot be used
    """
    try:
        data = (application_dir / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise ApplicationManifestError(
            f"{application_dir / MANIFEST_FILE}: {error.strerror}; expected the folder of a built application"
        ) from error
    return ApplicationManifest.decode(data)


def environment_choice(said: str) -> EnvironmentChoice:
    """Return what the key ``environment`` says; auto where it cannot be that."""
    return _CHOICES.get(said, "auto")


def install(
    application_dir: Path,
    work: Path,
    progress: Callable[[str], None],
    artifacts: Path | None = None,
    choice: str = "auto",
) -> Environment:
    """Make the environment, or find the one made before.

    :param choice: the configuration's key ``environment``; what it cannot be means auto, since a nucleus leaves a
        variable of a recipe as it is where the key is not there

    :raises ApplicationManifestError: when the application cannot be read
    :raises EnvironmentFailed: when its environment cannot be made
    """
    manifest = read_manifest(application_dir)
    folders = Folders(work)
    folders.work.mkdir(parents=True, exist_ok=True)
    return preparing(
        manifest, lambda: application_dir, folders, artifacts=artifacts, choice=lambda: environment_choice(choice)
    )(progress, threading.Event())
