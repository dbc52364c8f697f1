"""The application's Python environment: loaded if the install step has made it, else made now, in a thread."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vedette.application import ApplicationManifest
from vedette_app_runtime.environments import Environment, EnvironmentFailed, load, prepare
from vedette_app_runtime.folders import Folders

logger = logging.getLogger(__name__)

AGAIN_S: Final = 60.0
"""How soon a preparation that failed is tried again: the network may be there by then."""

Prepare = Callable[[Callable[[str], None], threading.Event], Environment]
"""Makes the environment: (progress, stop) -> environment; raises EnvironmentFailed."""


def preparing(manifest: ApplicationManifest, application_dir: Path, folders: Folders) -> Prepare:
    """Return what makes this application's environment, or finds it made."""
    requirements = application_dir / manifest.requirements_file if manifest.requirements_file else None
    python = manifest.entry.path or None

    def run(progress: Callable[[str], None], stop: threading.Event) -> Environment:
        found = load(folders.environments, application_dir, python=python, requirements=requirements)
        if found is not None:
            return found
        return prepare(
            application_dir,
            folders.environments,
            python=python,
            progress=progress,
            requirements=requirements,
            stop=stop,
        )

    return run


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
