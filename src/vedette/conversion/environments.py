"""Environments for converters, made by uv: one for each list of pinned requirements, beside Vedette's own.

They are made when first needed and may be deleted at any time. An environment is put in its place when it is complete,
so one that was cut short is never used.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from vedette.conversion.errors import ToolchainFailed
from vedette.conversion.running import run_program
from vedette.conversion.toolchains import Toolchain
from vedette.redaction import redact

_TIMEOUT_S: Final = 1800.0
_FOREIGN: Final = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
_LAST_LINES: Final = 6

Progress = Callable[[str], None]


def environment_python(toolchain: Toolchain, cache: Path, progress: Progress) -> Path:
    """Return the interpreter of the toolchain's environment, made if it is not there.

    :raises ToolchainFailed: if it cannot be made here: no uv, no fitting Python, no network
    """
    digest = hashlib.sha256("\n".join([toolchain.python, *toolchain.requirements]).encode()).hexdigest()[:12]
    place = cache / "toolchains" / f"{toolchain.name}-{digest}"
    python = place / "bin" / "python"
    if python.exists():
        return python
    progress(f"installing {toolchain.requirements[0]} in an environment of its own, about {toolchain.megabytes} MB")
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        _make(toolchain, made, progress)
        try:
            made.rename(place)
        except OSError:
            # Somebody else was faster.
            if not python.exists():
                raise
    except OSError as error:
        raise ToolchainFailed(f"the environment of {toolchain.name} cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return python


def _make(toolchain: Toolchain, place: Path, progress: Progress) -> None:
    uv = _find_uv()
    created = _uv(uv, progress, "venv", "--relocatable", "--allow-existing", "--python", toolchain.python, str(place))
    if created is not None:
        raise ToolchainFailed(
            f"{toolchain.name} needs Python {toolchain.python}, which is not here and cannot be had: {created}",
            "install such a Python, it need not be the default one",
        )
    install = ["pip", "install", "--python", str(place / "bin" / "python"), *toolchain.requirements]
    failed = None
    if toolchain.torch and not os.environ.get("UV_FIND_LINKS"):
        # Without CUDA's libraries, which are 3 GB and nothing to a converter; the usual index has the rest.
        failed = _uv(uv, progress, *install, "--torch-backend", "cpu")
        if failed is None:
            return
    failed = _uv(uv, progress, *install)
    if failed is not None:
        raise ToolchainFailed(
            f"the packages of {toolchain.name} cannot be installed: {failed}",
            "converting needs the network once; later it works without",
        )


def _uv(uv: str, progress: Progress, *arguments: str) -> str | None:
    """Run uv; return None, or its last lines where it failed."""
    lines: list[str] = []

    def hear(line: str) -> None:
        text = redact(line.strip())
        if text:
            lines.append(text)
            if text.startswith(("Downloading", "Prepared", "Installed", "Building")):
                progress(text)

    code = run_program([uv, *arguments], environment(), hear, lambda _: None, _TIMEOUT_S, progress)
    return None if code == 0 else " ".join(lines[-_LAST_LINES:])[:600] or f"uv ended with {code}"


def _find_uv() -> str:
    try:
        import uv as package

        return package.find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
        if found is None:
            raise ToolchainFailed("the program uv is not there", "pip install uv") from None
        return found


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of programs that convert: nobody's credentials are in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and name != "SVCUID" and not name.startswith("AWS_")
    }
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        for name in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):
            kept.setdefault(name, "1")
    return kept | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "PYTHONNOUSERSITE": "1"} | dict(extra or {})


def remove_environments(cache: Path) -> int:
    """Delete every environment; return how many there were."""
    folders = [path for path in (cache / "toolchains").glob("*") if path.is_dir()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)


def versions(requirements: Sequence[str]) -> str:
    """Return the requirements in one line, for people."""
    return ", ".join(requirement.replace("==", " ") for requirement in requirements)


__all__ = ["Progress", "environment", "environment_python", "remove_environments", "versions"]
