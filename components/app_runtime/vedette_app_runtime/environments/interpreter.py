"""Which Python an application runs on: its own version where the machine has it, or else ours."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette_app_runtime.environments.errors import InterpreterMissing
from vedette_app_runtime.environments.uv_command import Uv, UvFailed

_QUERY: Final = """
import json, os, sys
executable = getattr(sys, "_base_executable", None) or sys.executable
prefixes = {os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)}
print(json.dumps([list(sys.version_info[:3]), os.path.realpath(executable), sorted(prefixes)]))
"""
_OLDEST: Final = (3, 7)


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine, outside any virtual environment."""

    executable: Path
    version: tuple[int, int, int]
    prefixes: tuple[Path, ...]
    reason: str
    """Why this one, half a sentence."""

    @property
    def name(self) -> str:
        """Such as ``Python 3.11.7``."""
        return "Python " + ".".join(map(str, self.version))


def wanted_version(entry: str | None) -> tuple[int, int] | None:
    """Return the version that an entry path names: ``/usr/bin/python3.7`` (3, 7); None for python3, bash, and so on."""
    match = re.search(r"(?:^|python)(\d)\.(\d+)(?:\.\d+)?$", entry or "")
    return (int(match[1]), int(match[2])) if match else None


def choose_interpreter(entry: str | None, uv: Uv) -> Interpreter:
    """Choose for the entry path of a descriptor, such as ``python3.8``, or a version; None for no wish.

    :raises InterpreterMissing: if ``entry`` is an absolute path of an interpreter that cannot be run.
    """
    wanted = wanted_version(entry)
    own = sys.version_info[:2]
    if wanted is None or wanted == own:
        return ask(Path(sys.executable), "the one that runs Vedette" if wanted is None else f"as {entry} asks")
    if wanted < _OLDEST:
        return ask(Path(sys.executable), f"{entry} is asked for, and Python before 3.7 is not supported")
    for found in _places(wanted, uv):
        try:
            interpreter = ask(found, f"as {entry} asks")
        except InterpreterMissing:
            continue  # a shim of pyenv for a version that is not switched on
        if interpreter.version[:2] == wanted:
            return interpreter
    return ask(Path(sys.executable), f"{entry} is asked for, and this machine has none")


def _places(wanted: tuple[int, int], uv: Uv) -> Iterator[Path]:
    """Yield where an interpreter of this version may be: on PATH, among pyenv's, among uv's own; cheapest first."""
    version = ".".join(map(str, wanted))
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))  # noqa: PTH111 - no home, no error
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    try:
        yield Path(uv(f"looking for Python {version}", "python", "find", "--system", "--no-project", version).strip())
    except UvFailed:
        return


def ask(executable: Path, reason: str) -> Interpreter:
    """Ask an interpreter about itself.

    :raises InterpreterMissing: if it cannot be run.
    """
    try:
        answer = subprocess.run(
            [str(executable), "-I", "-c", _QUERY],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        version, real, prefixes = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InterpreterMissing(
            f"{executable} cannot be run as a Python interpreter; expected Python 3.7 or later: {type(error).__name__}"
        ) from error
    return Interpreter(Path(real), (version[0], version[1], version[2]), tuple(map(Path, prefixes)), reason)
