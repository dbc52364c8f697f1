"""``vedette deploy --ask``: the questions of Panorama's console step "Configure", with the author's titles.

An answer counts exactly as the same value given with ``--camera`` or ``--set``: these are what is returned.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vedette.application import ParameterInput, ParameterValueError, broken_constraint, coerce_parameter
from vedette.cli.conversion import conversion_deferred
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.documents import load_project, resolve

if TYPE_CHECKING:
    from vedette.documents.resolution.resolve import Parts

_TRIES: Final = 5

Read = Callable[[str], str]
"""Shows a prompt and returns the line that was typed, without its end."""


@dataclass(frozen=True)
class Answers:
    """What was answered, in the form of the command line's options."""

    cameras: tuple[str, ...]
    """``NODE=NAME-OR-URL``."""
    settings: tuple[str, ...]
    """``NODE=VALUE``."""


def ask(
    directory: Path,
    overrides: Sequence[Path],
    cameras: Sequence[str],
    settings: Mapping[str, str],
    graph: str | None,
    registered: Sequence[str],
    terminal: Terminal,
    read: Read | None = None,
) -> Answers:
    """Ask for each camera node without a camera, and for each parameter that may be changed.

    :param cameras: ``NODE=URL`` as given: these nodes are not asked for
    :param settings: parameter nodes with values as given: not asked for either
    :param registered: names of the account's cameras, to choose from
    :raises Failure: if nobody can be asked, or an answer is wrong five times
    """
    if read is None:
        if not sys.stdin.isatty():
            raise Failure(
                "--ask needs somebody to ask", hint="give values with --camera and --set", exit_code=EXIT_USAGE
            )
        read = _typed
    resolution = resolve(
        load_project(directory), overrides, settings=settings, graph=graph, complete=False, convert=conversion_deferred
    )
    if resolution.parts is None:
        return Answers((), ())  # what is wrong is said when the project is compiled
    given = {camera.partition("=")[0] for camera in cameras}
    return Answers(
        tuple(_cameras(resolution.parts, given, registered, terminal, read)),
        tuple(_parameters(resolution.parts, settings, terminal, read)),
    )


def _cameras(parts: "Parts", given: set[str], registered: Sequence[str], terminal: Terminal, read: Read) -> "list[str]":
    answers = []
    for name, node in parts.nodes.items():
        if node.kind.value != "camera" or name in given or parts.cameras.get(name):
            continue
        decorator = node.node.decorator
        _tell(terminal, decorator.title or name, name, decorator.description)
        if registered:
            terminal.line(f"    cameras of the account: {', '.join(registered)}")
        text = read("    camera, several with commas: ").strip()
        answers += [f"{name}={each.strip()}" for each in text.split(",") if each.strip()]
    return answers


def _parameters(parts: "Parts", settings: Mapping[str, str], terminal: Terminal, read: Read) -> "list[str]":
    answers = []
    for parameter in parts.parameters:
        asked, node = parameter.input, parameter.input.node
        if node is None or node in settings or not parts.nodes[node].node.overridable:
            continue
        _tell(terminal, asked.title or node, node, asked.description)
        text = _value(asked, read, f"    {asked.type} [{parameter.value}]: ", terminal)
        if text:
            answers.append(f"{node}={text}")
    return answers


def _value(asked: ParameterInput, read: Read, prompt: str, terminal: Terminal) -> str:
    for _ in range(_TRIES):
        text = read(prompt).strip()
        if not text:
            return ""
        try:
            problem = broken_constraint(asked, coerce_parameter(asked.type, text))
        except ParameterValueError as error:
            problem = str(error)
        if not problem:
            return text
        terminal.line(f"    {problem}")
    raise Failure(f"no usable value for {asked.node}")


def _tell(terminal: Terminal, title: str, node: str, description: str) -> None:
    terminal.line(f"  {terminal.paint(title, 'bold')} ({node})")
    if description:
        terminal.line(f"    {description}")


def _typed(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise Failure("the questions were not answered: nothing was changed")
    return line.rstrip("\n")
