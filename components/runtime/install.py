#!/usr/bin/env python3
"""Install step of vedette.Runtime: makes ``<work>/bin/python``, the interpreter of every Vedette component.

With ``--python`` it is a wrapper around that interpreter. Otherwise a virtual environment is made from the wheels
beside this file, without the network, and the wrapper is around that. Standard library only; runs on every nucleus
start, so it does nothing when all is in place, and it may be cut off at any moment: a marker written last says what is
complete.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST = (3, 10)
KNOWN = ((3, 13), (3, 12), (3, 11), (3, 10))
MARKER = "wheels.sha256"
REQUIREMENTS = "requirements.txt"
FACTS = "bundle.json"
LIMIT_S = 880.0


class InstallError(Exception):
    """The environment cannot be made; the text says why and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the install step; returns the exit code."""
    parser = argparse.ArgumentParser(description="Install the Python environment of the Vedette components.")
    parser.add_argument("--work", required=True, type=Path, help="work folder of the component")
    parser.add_argument("--python", default="", help="interpreter to wrap instead of making an environment")
    options = parser.parse_args(arguments)
    wrapper = options.work / "bin" / "python"
    try:
        if options.python:
            interpreter = Path(options.python)
            if not wraps(wrapper, interpreter):
                check_interpreter(interpreter)
        else:
            interpreter = install_environment(HERE / "wheels", options.work)
        if replace_text(wrapper, wrapper_text(interpreter), mode=0o755):
            say(f"{wrapper} runs {interpreter}")
        remove_other_environments(options.work, interpreter)
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def say(text: str) -> None:
    """Write a line for the component's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def check_interpreter(path: Path) -> None:
    """Return if Vedette runs in the interpreter that configuration key ``python`` names.

    :raises InstallError: if it does not
    """
    if not path.is_absolute() or not os.access(path, os.X_OK):
        raise InstallError(
            f"configuration key python: {str(path)!r} is not an executable file; give the full path of an interpreter "
            "that has Vedette installed, or '' to install the bundled wheels"
        )
    code = f"import sys, importlib.util as u; sys.exit(sys.version_info < {OLDEST} or not u.find_spec('vedette'))"
    if execute([str(path), "-c", code]) != 0:
        raise InstallError(
            f"configuration key python: {path} has no package 'vedette', or is older than Python 3.10; "
            f"run: {path} -m pip install vedette"
        )


def install_environment(wheels: Path, work: Path) -> Path:
    """Return the interpreter of the environment made from ``wheels``; makes the environment if it is not there.

    :raises InstallError: if there are no wheels, no fitting Python, or a step fails
    """
    names = sorted(wheel.name for wheel in wheels.glob("*.whl"))
    if not names:
        raise InstallError(
            f"this artifact has no wheels for {platform.machine()}; deploy a vedette.Runtime that was built with them, "
            "or set configuration key python to an interpreter that has Vedette installed"
        )
    base = base_interpreter(bundled_pythons(wheels))
    digest = content_digest(wheels, names, base)
    # The digest is in the folder's name and the marker is written last: a virtual environment knows its own path, so
    # one that is made beside and renamed would not work.
    environment = work / f"env-{digest[:16]}"
    interpreter = environment / "bin" / "python"
    marker = environment / MARKER
    if marker.is_file() and marker.read_text() == digest and interpreter.exists():
        return interpreter
    shutil.rmtree(environment, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    say(f"making {environment} with {base} from {len(names)} wheels")
    pip = make_environment(base, environment, wheels)
    options = ["--no-index", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--find-links", str(wheels)]
    if (wheels / REQUIREMENTS).is_file():
        options += ["--no-deps", "--require-hashes", "--ignore-requires-python"]  # the lock file has decided
        options += ["--requirement", str(wheels / REQUIREMENTS)]
    else:
        options += sorted({name.split("-")[0] for name in names if not name.startswith("pip-")})
    must([*pip, "install", *options], "install the bundled wheels")
    must([str(interpreter), "-c", "import vedette"], "import vedette in the new environment")
    replace_text(marker, digest)
    return interpreter


def make_environment(base: str, environment: Path, wheels: Path) -> list[str]:
    """Make a virtual environment; returns the command that runs pip in it.

    With pip's own wheel beside the others nothing more than Python itself is needed: Debian and Ubuntu split
    ``ensurepip`` off into python3-venv.
    """
    bundled = sorted(wheels.glob("pip-*.whl"))
    interpreter = str(environment / "bin" / "python")
    if bundled:
        must([base, "-m", "venv", "--without-pip", str(environment)], "make a virtual environment")
        return [interpreter, str(bundled[-1] / "pip")]
    must(
        [base, "-m", "venv", str(environment)], "make a virtual environment (Debian, Ubuntu: apt install python3-venv)"
    )
    return [interpreter, "-m", "pip"]


def bundled_pythons(wheels: Path) -> list[tuple[int, int]]:
    """Return the Pythons that the bundle has wheels for, newest first; without a note of it, all that are known."""
    try:
        facts = json.loads((wheels / FACTS).read_text(encoding="utf-8"))
        named = [tuple(map(int, text.split("."))) for text in facts["pythons"]]
    except (OSError, ValueError, KeyError, TypeError):
        return list(KNOWN)
    return sorted(((version[0], version[1]) for version in named), reverse=True)


def base_interpreter(pythons: list[tuple[int, int]]) -> str:
    """Return a Python that there are wheels for: the one that runs this, or one on the path.

    :raises InstallError: if there is none
    """
    if sys.version_info[:2] in pythons:
        return sys.executable
    candidates = [f"python{major}.{minor}" for major, minor in pythons]
    found = next(filter(None, map(shutil.which, candidates)), None)
    if found is None:
        raise InstallError(
            f"there are wheels for Python {', '.join(f'{major}.{minor}' for major, minor in sorted(pythons))}; python3 "
            f"is {platform.python_version()} and none of {', '.join(candidates)} is on the path: install one of them "
            "beside it, or set configuration key python to an interpreter that has Vedette installed"
        )
    return found


def content_digest(wheels: Path, names: list[str], base: str) -> str:
    """Return the SHA-256 of the wheels' names and bytes and of the interpreter they are installed for."""
    digest = hashlib.sha256(base.encode())
    for name in [*names, REQUIREMENTS]:
        if not (wheels / name).is_file():
            continue
        digest.update(name.encode())
        with (wheels / name).open("rb") as opened:
            for chunk in iter(lambda: opened.read(1 << 20), b""):
                digest.update(chunk)
    return digest.hexdigest()


def must(command: list[str], what: str) -> None:
    """Run a command.

    :raises InstallError: if it fails; the text says what was tried
    """
    code = execute(command)
    if code != 0:
        raise InstallError(f"could not {what}: exit code {code}")


def execute(command: list[str]) -> int:
    """Run a command without input and without a Python environment of somebody else; returns its exit code."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, env=environment, timeout=LIMIT_S, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{command[0]} could not be run: {error}") from error


def wrapper_text(interpreter: Path) -> str:
    """Return the wrapper script. Not a link: Python would not see that it is in a virtual environment."""
    return f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} "$@"\n'


def wraps(wrapper: Path, interpreter: Path) -> bool:
    """Tell whether the wrapper is in place already and its interpreter still there."""
    return wrapper.is_file() and wrapper.read_text() == wrapper_text(interpreter) and os.access(interpreter, os.X_OK)


def replace_text(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file by way of another name and flush it to disk; returns whether it was written."""
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.chmod(mode)
    fresh.replace(path)
    return True


def remove_other_environments(work: Path, interpreter: Path) -> None:
    """Remove the environments of earlier versions."""
    for folder in work.glob("env-*"):
        if folder not in interpreter.parents:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
