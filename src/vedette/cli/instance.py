"""Which running nucleus a command is for, and how it is asked."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from vedette.cli.failure import Failure
from vedette.nucleus.control import follow, request
from vedette.nucleus.errors import ControlError, NucleusError
from vedette.nucleus.instances import Instance, find_instances


def chosen(root: Path | None) -> Instance:
    """Return the running nucleus on ``root``, or the only one there is.

    :raises Failure: when there is none, or several to choose from
    """
    try:
        instances = find_instances()
    except NucleusError as error:
        raise Failure(str(error)) from error
    if root is not None:
        wanted = {str(root.resolve()), str((root / ".vedette").resolve())}
        instances = [instance for instance in instances if instance.root in wanted]
        if not instances:
            raise Failure(f"no nucleus runs on `{root}`", hint=f"vedette nucleus start --root {root} --detach")
    if not instances:
        raise Failure("no nucleus runs here", hint="vedette nucleus start --detach")
    if len(instances) > 1:
        raise Failure(
            f"{len(instances)} nuclei run here: {', '.join(instance.root for instance in instances)}",
            hint=f"name one: --root {instances[-1].root}",
        )
    return instances[0]


def ask(instance: Instance, op: str, *, hint: str | None = None, timeout_s: float = 10.0, **arguments: Any) -> Any:
    """Return what the nucleus answers; Failure with its words when it refuses."""
    try:
        return request(instance.control_socket, op, timeout_s=timeout_s, **arguments)
    except ControlError as error:
        raise Failure(str(error), hint=hint) from error


def listen(instance: Instance, op: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Give out what the nucleus tells until it ends; Failure with its words when it refuses."""
    try:
        yield from follow(instance.control_socket, op, **arguments)
    except ControlError as error:
        raise Failure(str(error)) from error


@contextmanager
def answering(schema: str, *, as_json: bool) -> Iterator[None]:
    """With ``as_json``, make a failure a document on standard output as well, with the exit code that it has."""
    try:
        yield
    except Failure as failure:
        if not as_json:
            raise
        print_json(schema, ok=False, error=failure.message, hint=failure.hint)
        raise typer.Exit(failure.exit_code) from failure


def print_json(schema: str, *, ok: bool = True, **content: Any) -> None:
    """Print one document; ``schema`` is the part after ``vedette.``."""
    sys.stdout.write(json.dumps({"schema": f"vedette.{schema}/1", "ok": ok, **content}, indent=2) + "\n")
