"""From what ``vedette run`` was given to components in a store, or to findings that say why not."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from vedette.build import BuildError
from vedette.cli.arguments import read_cameras, read_known_cameras, read_pairs
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.compiler import compile_application, write_store
from vedette.documents import DocumentError, Finding, ResolvedApplication, Severity, errors, load_project, resolve
from vedette.documents.model_files import ModelFileError
from vedette.nucleus.deployment import ComponentDeployment

if TYPE_CHECKING:
    from vedette.cli.run import RunOptions


@dataclass(frozen=True)
class CompiledRun:
    """An application in the component store, ready to be deployed."""

    headline: str
    warnings: int
    region: str
    deployments: Mapping[str, ComponentDeployment]
    """The application's component, its version and configuration."""
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)


def compile_run(options: "RunOptions", credentials: Credentials, root: Path, terminal: Terminal) -> CompiledRun:
    """Read the project, resolve it with overrides, cameras and settings, and write its components below ``root``.

    :raises Failure: when a finding is an error; every finding has been written to ``terminal`` then
    """
    if options.transport not in ("tcp", "udp"):
        raise Failure(f"--transport takes tcp or udp, got `{options.transport}`", exit_code=EXIT_USAGE)
    cameras = read_cameras(
        options.cameras,
        credentials,
        known=read_known_cameras(options.cameras_file),
        transport=cast("Literal['tcp', 'udp']", options.transport),
        pace="fastest" if options.fast else "own",
    )
    resolution = resolve(
        load_project(options.directory),
        options.overrides,
        cameras.sources,
        dict(read_pairs(options.settings, "--set")),
        options.instance,
        graph=options.graph,
    )
    show_findings(resolution.findings, terminal)
    if resolution.application is None:
        count = len(errors(resolution.findings))
        raise Failure(f"{options.directory} cannot run: {count} error{'' if count == 1 else 's'}, see above")
    application = resolution.application
    try:
        compiled = compile_application(application)
        write_store(compiled, root)
    except DocumentError as error:
        show_findings(error.findings, terminal)
        raise Failure(f"{options.directory} cannot be compiled, see above") from error
    except (BuildError, ModelFileError, OSError) as error:
        raise Failure(f"{options.directory} cannot be compiled: {error}") from error
    here = {"sandbox": "required" if options.sandbox else "off", "logLevel": options.log_level.upper()}
    deployments = {
        name: ComponentDeployment(**{**said, "merge": {**said["merge"], **here}})
        for name, said in compiled.deployment().items()
    }
    return CompiledRun(
        headline=headline(application),
        warnings=len(resolution.findings),
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        deployments=deployments,
        secrets={**cameras.secrets, **compiled.secrets},
    )


def show_findings(findings: Sequence[Finding], terminal: Terminal) -> None:
    """Write findings as uv writes its errors: code, what, where, what to do."""
    for finding in findings:
        wrong = finding.severity is Severity.ERROR
        word = terminal.paint("error", "red") if wrong else terminal.paint("warning", "yellow")
        terminal.line(f"{word}[{finding.code}]: {finding.message}")
        if finding.place:
            terminal.line(f"  --> {finding.place}")
        if finding.hint:
            terminal.line(f"{terminal.paint('hint', 'cyan')}: {finding.hint}")


def headline(application: ResolvedApplication) -> str:
    """Return the application in one line: what it is made of."""
    cameras = sum(len(attached) for attached in application.configuration().cameras.values())
    models = len(application.models)
    return (
        f"{application.name}   1 code node, {models} model{'' if models == 1 else 's'}, "
        f"{cameras} camera{'' if cameras == 1 else 's'}"
    )
