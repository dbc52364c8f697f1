"""The application's own packaged container as its environment: a root file system, unpacked once per content."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.application import ContainerAsset
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.errors import ContainerUnusable
from vedette_app_runtime.environments.store import Store
from vedette_app_runtime.environments.unpacking import unpack_root

_RECORD: Final = "container.json"
_ROOT: Final = "root"
_FORMAT: Final = 1
_TIMEOUT_S: Final = 120.0
_QUERY: Final = """
import json, sys
import numpy
import panoramasdk
print("\\nvedette-container:" + json.dumps(["%d.%d.%d" % sys.version_info[:3], numpy.__version__]))
"""

Progress = Callable[[str], None]
Ask = Callable[[Environment, str], "tuple[str, str]"]
"""Asks the Python of a container, as the application names it, for its version and numpy's."""


def fits(container: ContainerAsset, artifacts: Path | None, machine: str | None = None) -> str | None:
    """Return why the container cannot be used on this machine; None when it can."""
    machine = machine or platform.machine()
    if container.architecture != machine:
        return f"its container asset is built for {container.architecture}, this machine is {machine}"
    if artifacts is None or not (artifacts / container.file).is_file():
        return "its container asset is not among the component's artifacts"
    return None


def prepare_container(
    container: ContainerAsset,
    artifacts: Path,
    cache: Path,
    *,
    python: str,
    progress: Progress,
    stop: threading.Event,
    ask: Ask,
) -> Environment:
    """Unpack the container, unless it was before, and prove that its Python runs with panoramasdk.

    :param python: how the application's entry names it, or python3
    :raises ContainerUnusable: if that does not work
    """
    store = Store(cache)
    folder = cache / f"container-{container.sha256[:20]}"
    try:
        with store.locked(stop):
            found = _load(folder)
            if found is not None:
                return found
            _clear(cache, but=folder)
            fresh = cache / f".building-{folder.name}"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            progress("unpacking the container asset")
            try:
                unpacked = unpack_root(
                    artifacts / container.file, fresh / _ROOT, sha256=container.sha256, progress=progress, stop=stop
                )
                progress("trying the container's Python")
                version, numpy = ask(_environment(fresh, "", ()), python)
                warnings = (
                    [f"{unpacked.left_out} devices and pipes of the container asset were left out"]
                    if unpacked.left_out
                    else []
                )
                record = {
                    "format": _FORMAT,
                    "summary": f"Python {version}, numpy {numpy} of the application's own container asset",
                    "warnings": warnings,
                }
                (fresh / _RECORD).write_text(json.dumps(record))
                os.sync()
                fresh.rename(folder)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            found = _load(folder)
            if found is None:
                raise ContainerUnusable(f"{folder} cannot be read back")
            return found
    except OSError as error:
        raise ContainerUnusable(
            f"the container asset cannot be unpacked into {cache}: {error}; is the disk full or read-only?"
        ) from error


def ask_in_sandbox(sdk: Path) -> Ask:
    """Return what starts the container's Python in the sandbox and asks it."""

    def ask(environment: Environment, python: str) -> tuple[str, str]:
        # Imported late: the sandbox's description holds an Environment, so the packages name each other.
        from vedette_app_runtime.sandbox import SandboxError, SandboxSpec, start

        with tempfile.TemporaryDirectory(prefix="vedette-proof-") as scratch:
            spec = SandboxSpec(environment, Path(scratch), sdk, Path(scratch) / "storage", Path(scratch) / "logs")
            try:
                process = start(spec, [python, "-c", _QUERY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            except (SandboxError, OSError) as error:
                raise ContainerUnusable(f"the container asset cannot be started: {error}") from error
            try:
                output, _ = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
        for line in output.decode(errors="replace").splitlines():
            if line.startswith("vedette-container:"):
                version, numpy = json.loads(line.partition(":")[2])
                return version, numpy
        said = (output.decode(errors="replace").strip().splitlines() or [f"exit {process.returncode}"])[-1]
        raise ContainerUnusable(f"the container asset's {python} does not run with panoramasdk and numpy: {said[:300]}")

    return ask


def with_note(environment: Environment, note: str) -> Environment:
    """Return the environment, its summary followed by why it was chosen."""
    return replace(environment, summary=f"{environment.summary} ({note})")


def _load(folder: Path) -> Environment | None:
    try:
        record = json.loads((folder / _RECORD).read_text())
        if record["format"] != _FORMAT or not (folder / _ROOT).is_dir():
            return None
        return _environment(folder, str(record["summary"]), tuple(map(str, record["warnings"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _environment(folder: Path, summary: str, warnings: tuple[str, ...]) -> Environment:
    return Environment(Path("python3"), Path("/usr/bin"), (), summary, warnings, root=folder / _ROOT)


def _clear(cache: Path, *, but: Path) -> None:
    """Remove other containers: each has gigabytes, and can be unpacked again from its artifact."""
    for path in [*cache.glob("container-*"), *cache.glob(".building-container-*")]:
        if path != but:
            with contextlib.suppress(OSError):
                shutil.rmtree(path)
