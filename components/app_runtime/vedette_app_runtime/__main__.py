"""``python -m vedette_app_runtime run|install --application DIR [--work DIR]``."""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vedette.application import ApplicationConfigurationError, ApplicationManifestError
from vedette.application.installation import READY, WARNING
from vedette.bus import Bus
from vedette.bus.component import EXIT_FAILED, EXIT_STOPPED, ComponentFailed, run_component
from vedette_app_runtime.environments import EnvironmentFailed
from vedette_app_runtime.host import Host
from vedette_app_runtime.install import environment_choice, install, read_manifest
from vedette_app_runtime.sandbox import SandboxError
from vedette_app_runtime.shell import shell

_THING: Final = "AWS_IOT_THING_NAME"
"""Environment variable that every nucleus sets for its components."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="vedette_app_runtime", description="Hosts one Panorama application.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "run the application until asked to stop"),
        ("install", "make its Python environment"),
        ("shell", "open a shell in its sandbox"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--application", type=Path, required=True, help="folder of application.json")
        command.add_argument(
            "--work", type=Path, default=Path(), help="the component's work folder (default: where it is started)"
        )
        command.add_argument("--environment", default="auto", help="auto, container or sources, for install and shell")
        command.add_argument("--artifacts", type=Path, help="folder of the container asset, where there is one")
    commands.choices["shell"].add_argument("argv", nargs="*", metavar="COMMAND", help="in place of a shell")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run or install; return the exit code."""
    given = arguments(argv)
    application, work = given.application.absolute(), given.work.absolute()
    if given.command == "install":
        return _install(application, work, given.artifacts, given.environment)

    if given.command == "shell":
        return _shell(application, work, given.artifacts, given.argv, given.environment)

    def work_until(bus: Bus, stop: threading.Event) -> None:
        try:
            thing = os.environ.get(_THING)
            host = Host(bus, read_manifest(application), application, work, thing=thing, artifacts=given.artifacts)
        except (ApplicationManifestError, ApplicationConfigurationError) as error:
            raise ComponentFailed(str(error)) from error
        host.run(stop)

    return run_component(work_until, name=f"application in {application}")


def _shell(application: Path, work: Path, artifacts: Path | None, command: Sequence[str], choice: str) -> int:
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(message)s")
    try:
        return shell(application, work, artifacts, command, environment_choice(choice))
    except (ApplicationManifestError, EnvironmentFailed, SandboxError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILED


def _install(application: Path, work: Path, artifacts: Path | None, choice: str) -> int:
    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(message)s")
    try:
        environment = install(application, work, say, artifacts, choice)
    except (ApplicationManifestError, EnvironmentFailed) as error:
        say(f"error: {error}")
        return EXIT_FAILED
    say(f"{READY}{environment.summary}")
    for warning in environment.warnings:
        say(f"{WARNING}{warning}")
    return EXIT_STOPPED


if __name__ == "__main__":
    raise SystemExit(main())
