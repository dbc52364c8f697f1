"""Starting an application so that it waits for a debugger: debugpy, which editors attach to."""

import platform
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.application import PortRoute
from vedette_app_runtime.environments import Environment, EnvironmentFailed
from vedette_app_runtime.environments.uv_command import Uv, UvFailed

_PYTHON: Final = re.compile(r"(?:/\S*/)?python[0-9.]*")
_VERSION: Final = re.compile(r"Python (\d+\.\d+)")


def debugged(argv: Sequence[str], port: int) -> list[str]:
    """Return the command that waits for a debugger at ``port`` before it does what ``argv`` does.

    :raises EnvironmentFailed: if ``argv`` does not start a Python program by itself
    """
    if len(argv) < 2 or not _PYTHON.fullmatch(argv[0]):
        raise EnvironmentFailed(
            f"the application is started by {argv[0] if argv else 'nothing'}: only one that the descriptor starts with "
            "python can wait for a debugger; put `python3 -m debugpy --listen 0.0.0.0:5678 --wait-for-client` into its "
            "script instead"
        )
    return [argv[0], "-m", "debugpy", "--listen", f"0.0.0.0:{port}", "--wait-for-client", *argv[1:]]


def route(port: int) -> PortRoute:
    """Return the rule by which an editor on this machine, and nobody else, reaches the debugger."""
    return PortRoute(container_port=port, host_port=port, address="127.0.0.1")


def with_debugger(
    environment: Environment, folder: Path, progress: Callable[[str], None], stop: threading.Event
) -> Environment:
    """Return the environment with debugpy for its Python, installed into ``folder`` unless it is there.

    :raises EnvironmentFailed: if it cannot be had
    """
    found = _VERSION.search(environment.summary)
    version = found[1] if found else platform.python_version().rpartition(".")[0]
    target = folder / version
    if not (target / "debugpy").is_dir():
        progress("fetching the debugger")
        fresh = folder / f"{version}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        uv = Uv(folder, progress, stop)
        # Not the environment's Python itself: that would run what libraries put into .pth files.
        base = ["--python", str(environment.python.resolve())]
        python = base if environment.root is None else ["--python-version", version]
        try:
            uv("fetching the debugger", "pip", "install", "--target", str(fresh), *python, "debugpy")
        except UvFailed as error:
            raise EnvironmentFailed(f"debugpy for Python {version} cannot be had: {error}") from error
        fresh.rename(target)
    return replace(environment, debugger=target)
