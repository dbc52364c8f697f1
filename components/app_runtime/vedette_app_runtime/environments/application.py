"""What an application asks of its environment, read from its files."""

import ctypes.util
import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path

from vedette_app_runtime.environments.dockerfile import read_dockerfile
from vedette_app_runtime.environments.imports import Imports, scan
from vedette_app_runtime.environments.interpreter import Interpreter
from vedette_app_runtime.environments.requirement import RequirementSet, read_requirements
from vedette_app_runtime.environments.strategies import VERSION


@dataclass(frozen=True)
class Application:
    """What of an application decides over its environment."""

    sources: Path
    wanted: RequirementSet
    imports: Imports
    wheels: Path | None

    def key(self, interpreter: Interpreter, *, screen: bool) -> str:
        """Return the name of its environment: the same content, the same name."""
        facts = [
            VERSION,
            str(interpreter.executable),
            interpreter.version,
            platform.machine(),
            screen,
            [requirement.line() for requirement in self.wanted.requirements],
            self.wanted.options,
            sorted(self.imports.modules),
            sorted(self.imports.outdated),
            [] if self.wheels is None else sorted((path.name, path.stat().st_size) for path in self.wheels.iterdir()),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]


def read_application(application_dir: Path, requirements: Path | None = None) -> Application:
    """Read what the application in ``application_dir`` asks for.

    Its sources are in ``panorama/`` (or in the folder itself), a ``Dockerfile`` and ``wheels/`` may lie in either.
    ``requirements`` names another file than ``requirements.txt`` there.
    :raises RequirementsInvalid: if a file or a line cannot be used.
    """
    inside = application_dir / "panorama"
    sources = inside if inside.is_dir() else application_dir
    wanted = RequirementSet()
    for path in (
        [requirements] if requirements else [sources / "requirements.txt", application_dir / "requirements.txt"]
    ):
        if requirements or path.is_file():
            read_requirements(path, wanted)
            break
    for path in (application_dir / "Dockerfile", sources / "Dockerfile"):
        if path.is_file():
            read_dockerfile(path, sources, wanted)
            break
    wheels = next((path for path in (application_dir / "wheels", sources / "wheels") if path.is_dir()), None)
    return Application(sources, wanted, scan(sources), wheels)


def has_screen_libraries() -> bool:
    """Return whether libGL is here, which the wheels with windows need."""
    return ctypes.util.find_library("GL") is not None
