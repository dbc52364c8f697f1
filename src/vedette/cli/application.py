"""From what ``run`` and ``compile`` were given to components, or to findings that say why not."""

import os
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast

from vedette.build import BuildError
from vedette.cli.arguments import (
    Cameras,
    known_secrets,
    read_cameras,
    read_known_cameras,
    read_pairs,
    registered_sources,
)
from vedette.cli.conversion import ModelConversion
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.inbound import port_notes, read_opened
from vedette.cli.run_note import LIVE_SOURCES, note_run
from vedette.cli.substreams import with_substreams
from vedette.cli.terminal import Terminal
from vedette.compiler import Compiled, compile_application, only_files_differ, write_live_sources, write_store
from vedette.documents import DocumentError, Finding, ResolvedApplication, Severity, errors, load_project, resolve
from vedette.documents.model_files import ModelFileError
from vedette.documents.resolution.cameras import camera_secret_name
from vedette.messages import CameraSource
from vedette.nucleus.deployment import ComponentDeployment

if TYPE_CHECKING:
    from vedette.cli.run import RunOptions

_CAMERA_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")


class ProjectOptions(Protocol):
    """What every command that compiles a project was given."""

    @property
    def directory(self) -> Path:
        """Folder of the project."""

    @property
    def overrides(self) -> Sequence[Path]:
        """Override documents, in order."""

    @property
    def cameras(self) -> Sequence[str]:
        """``NODE=URL``."""

    @property
    def subs(self) -> Sequence[str]:
        """``NODE=URL`` of cameras' small streams."""

    @property
    def sub_missing(self) -> str | None:
        """What becomes of a camera that has no such stream: wait or main."""

    @property
    def settings(self) -> Sequence[str]:
        """``NODE=VALUE``."""

    @property
    def graph(self) -> str | None:
        """Name of the graph."""

    @property
    def instance(self) -> str | None:
        """Name of the application instance."""

    @property
    def cameras_file(self) -> Path | None:
        """File of known cameras."""

    @property
    def opened(self) -> Sequence[str]:
        """``[ADDRESS:]HOST[:CONTAINER]``."""

    @property
    def transport(self) -> str:
        """How RTSP cameras send their video."""

    @property
    def max_fps(self) -> float | None:
        """Pictures a second of each camera at most."""


@dataclass(frozen=True)
class OneProject:
    """What a command was given that compiles one project of several, or only a part of what a deployment says."""

    directory: Path
    overrides: Sequence[Path] = ()
    cameras: Sequence[str] = ()
    settings: Sequence[str] = ()
    opened: Sequence[str] = ()
    role: str | None = None
    graph: str | None = None
    instance: str | None = None
    cameras_file: Path | None = None
    transport: str = "tcp"
    max_fps: float | None = None
    subs: Sequence[str] = ()
    sub_missing: str | None = None


@dataclass(frozen=True)
class CompiledProject:
    """A project that was found good, and its components, not yet written."""

    application: ResolvedApplication
    compiled: Compiled
    warnings: int
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    graph: Path | None = None
    """The graph's file."""


@dataclass(frozen=True)
class CompiledRun:
    """An application in the component store, ready to be deployed."""

    headline: str
    warnings: int
    region: str
    deployments: Mapping[str, ComponentDeployment]
    """The application's component, its version and configuration."""
    compiled: Compiled
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    ports: Sequence[tuple[bool, str]] = ()
    """What becomes of the ports that the application opens: (worth a warning, sentence)."""


def compile_project(
    options: ProjectOptions,
    credentials: Credentials,
    terminal: Terminal,
    *,
    pace: Literal["own", "fastest"] = "own",
    loop: bool = True,
    secrets_of_account: bool = False,
    complete: bool = True,
    registered: Mapping[str, CameraSource] | None = None,
) -> CompiledProject:
    """Read the project, resolve it with overrides, cameras and settings, and compile it; nothing is written.

    :param secrets_of_account: name the secrets of cameras so that no other application's are hit
    :param complete: refuse a project without what only a deployment says: cameras, mandatory overrides
    :param registered: cameras of the account, which go before those of this user's file
    :raises Failure: when a finding is an error; every finding has been written to ``terminal`` then
    """
    if options.transport not in ("tcp", "udp"):
        raise Failure(f"--transport takes tcp or udp, got `{options.transport}`", exit_code=EXIT_USAGE)
    transport = cast("Literal['tcp', 'udp']", options.transport)
    known = read_known_cameras(options.cameras_file)
    cameras = read_cameras(
        options.cameras,
        credentials,
        known=known,
        registered=registered,
        transport=transport,
        pace=pace,
        loop=loop,
        max_fps=options.max_fps,
    )
    cameras = with_substreams(cameras, options.subs, credentials, missing=options.sub_missing)
    here = registered_sources(known, transport, options.max_fps)
    if secrets_of_account:
        cameras = named_for_account(cameras, known)
        here = {name: source.model_copy(update={"secret": _of_account(source.secret)}) for name, source in here.items()}
    resolution = resolve(
        load_project(options.directory),
        options.overrides,
        cameras.sources,
        dict(read_pairs(options.settings, "--set")),
        options.instance,
        graph=options.graph,
        opened=read_opened(options.opened),
        complete=complete,
        convert=ModelConversion(terminal),
        registered=here if registered is None else ChainMap({}, registered, here),  # type: ignore[arg-type]
    )
    show_findings(resolution.findings, terminal)
    if resolution.application is None:
        count = len(errors(resolution.findings))
        raise Failure(f"{options.directory} cannot be used: {count} error{'' if count == 1 else 's'}, see above")
    with compiling(options.directory, terminal):
        compiled = compile_application(resolution.application, role=_role(options))
    used = {camera.get("secret") for attached in compiled.configuration["cameras"].values() for camera in attached}
    named = {
        source.secret: known_secrets(known, [name])[name]
        for name, source in here.items()
        # What the account holds is not written over with this machine's copy of it.
        if source.secret is not None and source.secret in used and (registered is None or name not in registered)
    }
    secrets = {**cameras.secrets, **named, **compiled.secrets}
    graph = resolution.parts.graph.path if resolution.parts is not None else None
    return CompiledProject(resolution.application, compiled, len(resolution.findings), secrets, graph)


def _of_account(secret: str | None) -> str | None:
    """Return the name that a known camera's secret has in an account, where `vedette camera add` puts it."""
    return f"vedette/camera/{secret}" if secret is not None and _CAMERA_NAME.fullmatch(secret) else secret


def _role(options: ProjectOptions) -> str | None:
    role: str | None = getattr(options, "role", None)
    if role is not None and not _ROLE.fullmatch(role):
        raise Failure(
            f"--role takes the ARN of a role, got `{role}`",
            hint="--role arn:aws:iam::123456789012:role/MyApplication",
            exit_code=EXIT_USAGE,
        )
    return role


@contextmanager
def compiling(directory: Path, terminal: Terminal) -> Iterator[None]:
    """Turn what goes wrong while components are made or written into a failure of the command.

    :raises Failure: in place of it
    """
    try:
        yield
    except DocumentError as error:
        show_findings(error.findings, terminal)
        raise Failure(f"{directory} cannot be compiled, see above") from error
    except (BuildError, ModelFileError, OSError) as error:
        raise Failure(f"{directory} cannot be compiled: {error}") from error


def compile_run(
    options: "RunOptions",
    credentials: Credentials,
    root: Path,
    terminal: Terminal,
    *,
    running: CompiledRun | None = None,
) -> CompiledRun:
    """Compile the project and write its components into the store below ``root``.

    :param running: what runs of it; where nothing but the application's own files has changed, its component stays as
        it is, and its host is told of a folder with the present ones: that takes a tenth of a deployment's time
    :raises Failure: when a finding is an error; every finding has been written to ``terminal`` then
    """
    pace: Literal["own", "fastest"] = "fastest" if options.fast else "own"
    project = compile_project(options, credentials, terminal, pace=pace, loop=options.loop)
    component = project.compiled.application
    if running is not None and only_files_differ(running.compiled, project.compiled):
        with compiling(options.directory, terminal):
            folder = write_live_sources(component, root / LIVE_SOURCES / component.name)
        live = {
            name: said.model_copy(update={"merge": {**said.merge, "sourceFolder": str(folder)}})
            for name, said in running.deployments.items()
        }
        with compiling(options.directory, terminal):
            note_run(root, live)
        return replace(running, deployments=live, warnings=project.warnings, secrets=project.secrets)
    with compiling(options.directory, terminal):
        write_store(project.compiled, root)
    choices = ("auto", "container", "sources")
    if options.environment not in choices:
        raise Failure(
            f"--environment takes {', '.join(choices[:-1])} or {choices[-1]}, got `{options.environment}`",
            exit_code=EXIT_USAGE,
        )
    environment = options.environment
    if environment == "auto" and options.watch and project.compiled.manifest.has_sources:
        environment = "sources"  # what is saved is not in the container
    here = {
        "sandbox": "required" if options.sandbox else "off",
        "logLevel": options.log_level.upper(),
        "environment": environment,
        "record": options.record,
        "debugPort": options.debug_port,
        "sourceFolder": None,
    }
    deployments = {
        name: ComponentDeployment(**{**said, "merge": {**said["merge"], **here}})
        for name, said in project.compiled.deployment().items()
    }
    with compiling(options.directory, terminal):
        note_run(root, deployments)
    return CompiledRun(
        headline=headline(project.application),
        warnings=project.warnings,
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        deployments=deployments,
        compiled=project.compiled,
        secrets=project.secrets,
        ports=tuple(port_notes(project.application.code.inbound_ports, project.application.routes)),
    )


def named_for_account(cameras: Cameras, known: Mapping[str, Mapping[str, str]]) -> Cameras:
    """Give secrets that were named by their node, which is enough for one run, names by camera and user.

    Known cameras are in the account under their own names.
    """
    names: dict[str, str] = {}
    for source in (source for attached in cameras.sources.values() for source in attached):
        if source.secret is not None and source.secret in known:
            names[source.secret] = _of_account(source.secret) or source.secret
        elif source.secret == f"vedette/{source.name}" and source.secret in cameras.secrets:
            said = cameras.secrets[source.secret]
            names[source.secret] = camera_secret_name(source.name, said["StreamUrl"], said["Username"])
    return Cameras(
        {
            node: [
                source.model_copy(update={"secret": names.get(source.secret or "", source.secret)}) for source in each
            ]
            for node, each in cameras.sources.items()
        },
        {names.get(name, name): said for name, said in cameras.secrets.items()},
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
