"""``vedette compile``: a project as recipes, artifacts and deployment in a folder, without a network."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.application import MAX_SHADOW_BYTES, desired_parameters, shadow_bytes
from vedette.cli.application import CompiledProject, compile_project, compiling, headline
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.compiler import Target, TargetError, needed_secrets, write_folder, write_secrets
from vedette.compiler.component import BUCKET
from vedette.redaction import redact

SCHEMA: Final = "vedette.compile/1"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class CompileOptions:
    """What ``vedette compile`` was asked for; see its help."""

    directory: Path
    out: Path
    overrides: tuple[Path, ...] = ()
    cameras: tuple[str, ...] = ()
    subs: tuple[str, ...] = ()
    sub_missing: str | None = None
    settings: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    role: str | None = None
    graph: str | None = None
    instance: str | None = None
    cameras_file: Path | None = None
    transport: str = "tcp"
    max_fps: float | None = None
    bucket: str | None = None
    target: str | None = None
    secrets_file: Path | None = None
    as_json: bool = False


def compile_to_folder(options: CompileOptions, credentials: Credentials, terminal: Terminal) -> int:
    """Write everything; with ``as_json`` one document about it goes to standard output, also of a failure.

    Returns the exit code.

    :raises Failure: for documents, cameras, settings or places that do not fit
    """
    try:
        document = _compile(options, credentials, terminal)
    except Failure as failure:
        if options.as_json:
            _write_json({"schema": SCHEMA, "ok": False, "error": redact(failure.message)})
        raise
    if options.as_json:
        _write_json(document)
    return 0


def _compile(options: CompileOptions, credentials: Credentials, terminal: Terminal) -> dict[str, Any]:
    bucket, target = _bucket(options.bucket), _target(options.target)
    if options.secrets_file is not None:
        _check_secrets_file(options.secrets_file, options.out)
    project = compile_project(options, credentials, terminal, secrets_of_account=True)
    with compiling(options.directory, terminal):
        written = write_folder(project.compiled, options.out, bucket=bucket, target=target)
    _tell(project, written.index, terminal)
    _tell_secrets(project, options, terminal)
    changed = len(written.changed) + len(written.removed)
    terminal.done("written", f"{options.out}: {changed} files changed" if changed else f"{options.out}: no changes")
    return {
        "schema": SCHEMA,
        "ok": True,
        **{key: value for key, value in written.index.items() if key != "schema"},
        "secrets": [secret.document() for secret in needed_secrets(project.compiled)],
        "changed": list(written.changed),
        "removed": list(written.removed),
    }


def _write_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _bucket(name: str | None) -> str:
    if name is None:
        return BUCKET
    if not _BUCKET.fullmatch(name):
        raise Failure(
            f"--bucket takes the name of an S3 bucket, got `{name}`",
            hint="3 to 63 lower-case letters, digits, dots and hyphens",
            exit_code=EXIT_USAGE,
        )
    return name


def _target(arn: str | None) -> Target | None:
    try:
        return Target(arn) if arn is not None else None
    except TargetError as error:
        raise Failure(str(error), exit_code=EXIT_USAGE) from error


def _check_secrets_file(path: Path, out: Path) -> None:
    if path.resolve().is_relative_to(out.resolve()):
        raise Failure(
            f"--secrets-file `{path}` lies in `{out}`, which is there to be published",
            hint="give a path outside of it",
            exit_code=EXIT_USAGE,
        )
    if path.is_dir() or not path.parent.is_dir():
        raise Failure(f"--secrets-file `{path}` is no path of a file in a folder that exists", exit_code=EXIT_USAGE)


def _tell(project: CompiledProject, index: Mapping[str, Any], terminal: Terminal) -> None:
    terminal.line(headline(project.application))
    for component in index["components"]:
        megabytes = component["artifactBytes"] / 1e6
        shown = f"{megabytes:.1f} MB" if megabytes >= 0.1 else "under 0.1 MB"
        terminal.done("component", f"{component['name']} {component['version']}, {shown}")
    for attached in project.compiled.configuration["cameras"].values():
        for camera in attached:
            if camera.get("url") and "://" not in camera["url"]:
                terminal.warn("camera", f"{camera['name']} is {camera['url']}: the device must have it at that path")
    size = shadow_bytes(desired_parameters(project.compiled.configuration["parameters"]))
    if size > MAX_SHADOW_BYTES:
        text = f"the parameters have {size} bytes: a shadow holds {MAX_SHADOW_BYTES}, set only some of them there"
        terminal.warn("shadow", text)


def _tell_secrets(project: CompiledProject, options: CompileOptions, terminal: Terminal) -> None:
    needed = needed_secrets(project.compiled)
    for secret in needed:
        terminal.done("secret", f"{secret.name} for {', '.join(secret.cameras)}")
    if options.secrets_file is None:
        return
    values = {secret.name: project.secrets[secret.name] for secret in needed if secret.name in project.secrets}
    try:
        write_secrets(values, options.secrets_file)
    except OSError as error:
        raise Failure(f"{options.secrets_file} cannot be written: {error.strerror}") from error
    terminal.done("secrets", f"{len(values)} with their values in {options.secrets_file}, for its owner alone")
