"""Trying an application's imports in its environment, in a process of its own, in the sandbox where there is one."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.known_breaks import HARDWARE

TIMEOUT_S: Final = 180.0
_MARK: Final = "vedette-imports:"
_PROGRAM: Final = f"""
import importlib, json, sys
found = {{}}
for module in json.loads(sys.argv[1]):
    try:
        importlib.import_module(module)
        found[module] = ["ok", "", ""]
    except ModuleNotFoundError as error:
        name = error.name or ""
        own = module == name or module.startswith(name + ".")
        found[module] = ["missing" if own else "broken", "ModuleNotFoundError: %s" % error, name]
    except BaseException as error:
        found[module] = ["broken", "%s: %s" % (type(error).__name__, error), ""]
print("\\n{_MARK}" + json.dumps(found), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What came of importing one module."""

    state: Literal["ok", "missing", "broken", "hardware"]
    message: str = ""
    """The exception, one line."""
    missing: str = ""
    """For a ModuleNotFoundError: which module."""


Prover = Callable[[Environment, Path, Sequence[str]], dict[str, Outcome]]
Runner = Callable[[list[str]], "tuple[int, str]"]


def prove(environment: Environment, sources: Path, modules: Sequence[str]) -> dict[str, Outcome]:
    """Import ``modules`` in ``environment`` with ``sources`` at ``/panorama``; raises nothing about the imports.

    All in one process first; where that one dies (a crash in native code), each in its own.
    """
    if not modules:
        return {}
    with tempfile.TemporaryDirectory(prefix="vedette-proof-") as scratch:

        def run(command: list[str]) -> tuple[int, str]:
            return _run_sandboxed(environment, sources, Path(scratch), command)

        return prove_with(run, str(environment.python), modules)


def prove_with(run: Runner, python: str, modules: Sequence[str]) -> dict[str, Outcome]:
    """Do as :func:`prove` does, with ``run`` to start a command and give back its exit code and output."""
    found = _attempt(run, python, modules)
    if found is not None:
        return found
    outcomes: dict[str, Outcome] = {}
    for module in modules:
        alone = _attempt(run, python, [module])
        outcomes[module] = alone[module] if alone else Outcome("broken", "the process died while importing it")
    return outcomes


def _attempt(run: Runner, python: str, modules: Sequence[str]) -> dict[str, Outcome] | None:
    _, output = run([python, "-c", _PROGRAM, json.dumps(list(modules))])
    for line in reversed(output.splitlines()):
        if line.startswith(_MARK):
            return {module: _outcome(*values) for module, values in json.loads(line[len(_MARK) :]).items()}
    return None


def _outcome(state: Literal["ok", "missing", "broken"], message: str, missing: str) -> Outcome:
    short = " ".join(message.split())[:300]
    if state == "broken" and any(sign in message for sign in HARDWARE):
        return Outcome("hardware", short)
    return Outcome(state, short, missing)


def _run_sandboxed(environment: Environment, sources: Path, scratch: Path, command: list[str]) -> tuple[int, str]:
    # Imported late: the sandbox's description holds an Environment, so the packages name each other.
    from vedette_app_runtime.sandbox import SandboxSpec, start

    spec = SandboxSpec(environment, sources, None, scratch / "storage", scratch / "logs", mode="preferred")
    process = start(spec, command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return process.returncode, output.decode(errors="replace")
