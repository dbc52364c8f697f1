"""``vedette shell``: a command in the sandbox of an application that was run here."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vedette.cli.failure import Failure
from vedette.cli.run_note import RunNote, noted_run
from vedette.cli.session import state_folder

_PREFIX: Final = "vedette.app."


def open_shell(directory: Path, command: Sequence[str], instance: str | None) -> int:
    """Run ``command``, or a shell, as the application's host would start it; return its exit code.

    :raises Failure: when the application was never run here
    """
    state = state_folder(directory.resolve())
    # What was tried by `vedette test` alone has its own folder.
    root = state if any((state / "work").glob(f"{_PREFIX}*")) else state / "test"
    name = _component(root, directory, instance)
    unpacked = sorted(
        (root / "packages" / "artifacts-unarchived" / name).glob("*/application/application.json"),
        key=lambda path: path.stat().st_mtime,
    )
    python = root / "work" / "vedette.Runtime" / "bin" / "python"
    code = root / "work" / "vedette.AppRuntime" / "current"
    if not unpacked or not python.exists() or not code.exists():
        raise _never_run(directory)
    note = noted_run(root, name) or RunNote("")
    # The version that was run last; one that has gone from the store, or of an earlier release: the newest.
    deployed = next((path.parent for path in unpacked if path.parts[-3] == note.version), unpacked[-1].parent)
    artifacts = root / "packages" / "artifacts" / name / deployed.parent.name
    application = Path(note.sources) if note.sources and Path(note.sources).is_dir() else deployed
    arguments = ["--application", str(application), "--work", str(root / "work" / name), "--artifacts", str(artifacts)]
    arguments += ["--environment", note.environment]
    process = subprocess.run(
        [str(python), "-m", "vedette_app_runtime", "shell", *arguments, "--", *command],
        env={**os.environ, "PYTHONPATH": str(code)},
        check=False,
    )
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _component(root: Path, directory: Path, instance: str | None) -> str:
    work = root / "work"
    found = sorted(path.name for path in work.glob(f"{_PREFIX}*")) if work.is_dir() else []
    if instance is not None and f"{_PREFIX}{instance}" in found:
        return f"{_PREFIX}{instance}"
    if not found:
        raise _never_run(directory)
    if instance is not None or len(found) > 1:
        names = ", ".join(name.removeprefix(_PREFIX) for name in found)
        what = f"no instance `{instance}` of {directory}" if instance else f"{directory} has had several instances"
        raise Failure(what, hint=f"give one with --name: {names}")
    return found[0]


def _never_run(directory: Path) -> Failure:
    return Failure(f"{directory} was not run here yet", hint=f"vedette run {directory}")
