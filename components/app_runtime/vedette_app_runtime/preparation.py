"""The application's Python environment: loaded if the install step has made it, else made now, in a thread."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.application import ApplicationManifest, EnvironmentChoice
from vedette.gpu_software import ask_driver_cuda, misfit
from vedette_app_runtime.debugging import with_debugger
from vedette_app_runtime.environments import ContainerUnusable, Environment, EnvironmentFailed, load, prepare
from vedette_app_runtime.environments.container import ask_in_sandbox, fits, prepare_container, with_note
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.sandbox import choose
from vedette_app_runtime.sandbox.system_files import gpu_mounts
from vedette_app_runtime.sdk_folder import sdk_folder

logger = logging.getLogger(__name__)

AGAIN_S: Final = 60.0
"""How soon a preparation that failed is tried again: the network may be there by then."""

Prepare = Callable[[Callable[[str], None], threading.Event], Environment]
"""Makes the environment: (progress, stop) -> environment; raises EnvironmentFailed."""


def preparing(
    manifest: ApplicationManifest,
    application_dir: Callable[[], Path],
    folders: Folders,
    *,
    artifacts: Path | None = None,
    debug: Callable[[], bool] = lambda: False,
    choice: Callable[[], EnvironmentChoice] = lambda: "auto",
) -> Prepare:
    """Return what makes this application's environment, or finds it made.

    :param application_dir: gives the folder that its files are in at present
    :param artifacts: folder of the component's artifacts that were not unpacked: where its container asset is
    :param debug: tells whether the application is to wait for a debugger
    :param choice: gives what the configuration asks for at present
    """
    python = manifest.entry.path or None

    def from_sources(progress: Callable[[str], None], stop: threading.Event) -> Environment:
        folder = application_dir()
        requirements = folder / manifest.requirements_file if manifest.requirements_file else None
        found = load(folders.environments, folder, python=python, requirements=requirements)
        if found is not None:
            return found
        return prepare(
            folder,
            folders.environments,
            python=python,
            progress=progress,
            requirements=requirements,
            stop=stop,
        )

    def run(progress: Callable[[str], None], stop: threading.Event) -> Environment:
        wanted = choice()
        why_not = _why_no_container(manifest, artifacts, wanted)
        if why_not is None and manifest.container is not None and artifacts is not None:
            ask = ask_in_sandbox(sdk_folder(folders.work))
            named = manifest.entry.path if "python" in manifest.entry.path else "python3"
            try:
                environment = prepare_container(
                    manifest.container,
                    artifacts,
                    folders.environments,
                    python=named,
                    progress=progress,
                    stop=stop,
                    ask=ask,
                )
            except ContainerUnusable as error:
                if wanted == "container" or not manifest.has_sources or stop.is_set():
                    raise
                why_not = str(error)
            else:
                note = "it fits this machine" if wanted == "auto" else "as configured"
                return with_note(_told_of_its_gpu(environment, manifest), note)
        if wanted == "container" or not manifest.has_sources:
            lacks = "" if manifest.has_sources else "; its package holds no sources that could be run instead"
            raise ContainerUnusable(f"the application cannot be run from its container: {why_not}{lacks}")
        environment = from_sources(progress, stop)
        return with_note(environment, f"from its sources, because {why_not}") if manifest.container else environment

    def run_or_debug(progress: Callable[[str], None], stop: threading.Event) -> Environment:
        environment = run(progress, stop)
        return with_debugger(environment, folders.debugger, progress, stop) if debug() else environment

    return run_or_debug


def _why_no_container(manifest: ApplicationManifest, artifacts: Path | None, wanted: EnvironmentChoice) -> str | None:
    """Return why the application is not run from its container; None when it is."""
    if manifest.container is None:
        return "it has no container asset"
    if wanted == "sources" and manifest.has_sources:
        return "the configuration asks for that"
    if choose("preferred").kind != "bubblewrap":
        return "a container needs bubblewrap, which does not work here"
    return fits(manifest.container, artifacts)


def _told_of_its_gpu(environment: Environment, manifest: ApplicationManifest) -> Environment:
    """Return the environment of a container, with a warning where its GPU libraries are of another system than this."""
    if not manifest.gpu or environment.root is None:
        return environment
    why = misfit(environment.root, driver=ask_driver_cuda() if gpu_mounts() else None)
    if why is None:
        return environment
    logger.warning("%s", why)
    return replace(environment, warnings=(*environment.warnings, why))


class Preparation:
    """Runs the preparation beside the host's loop. ``progress`` is its last line, ``failure`` why it failed."""

    def __init__(self, prepare_environment: Prepare, stop: threading.Event, done: Callable[[], None]) -> None:
        self.environment: Environment | None = None
        self.progress = ""
        self.failure: str | None = None
        self._prepare = prepare_environment
        self._stop = stop
        self._done = done
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        """Have it made anew: another one is asked for."""
        self.environment = None

    @property
    def running(self) -> bool:
        """Whether it is being prepared."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Start, unless it runs or is done."""
        if not self.running and self.environment is None:
            self.failure = None
            self._thread = threading.Thread(target=self._run, name="preparation", daemon=True)
            self._thread.start()

    def take_failure(self) -> str:
        """Return why it failed, and allow the next try."""
        failure, self.failure = self.failure or "", None
        return failure

    def _run(self) -> None:
        try:
            self.environment = self._prepare(self._note, self._stop)
            for warning in self.environment.warnings:
                logger.warning("%s", warning)
        except EnvironmentFailed as error:
            self.failure = str(error)
            logger.error("the application's environment could not be made: %s", error)  # noqa: TRY400
        except Exception:
            self.failure = "the application's environment could not be made; the component's log says why"
            logger.exception("the application's environment could not be made")
        finally:
            self._done()

    def _note(self, line: str) -> None:
        self.progress = line
        logger.info("%s", line)
