"""Collects the wheels of vedette.Runtime: all that a device installs, for one kind of machine and several Pythons.

The versions are those of ``uv.lock``, with its hashes; a device installs them without a network and checks the hashes
again. Downloads are kept and not repeated; what an earlier lock file named is removed.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from vedette.build.archive import BuildError, write_if_changed

ARCHITECTURES: Final[Mapping[str, str]] = {"amd64": "x86_64", "aarch64": "aarch64"}
"""Greengrass's name of a machine -> the one in wheels."""
PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13")
_NEWEST_GLIBC: Final = {"amd64": range(5, 32), "aarch64": range(17, 32)}
"""Minor versions of glibc 2: the newest is that of Ubuntu 20.04, the oldest system that is supported."""
_LEGACY: Final = {"amd64": ("manylinux1", "manylinux2010", "manylinux2014"), "aarch64": ("manylinux2014",)}
_EXTRAS: Final = ("aws", "tflite")
REQUIREMENTS_FILE: Final = "requirements.txt"
FACTS_FILE: Final = "bundle.json"
_LIMIT_S: Final = 1800.0
_PIP: Final = "pip==26.3 --hash=sha256:f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
"""Pinned like all others: the newest of the day would make other bytes of the same version tomorrow."""

Run = Callable[[Sequence[str], Path], str]
"""Runs a command in a folder and returns what it wrote."""


def collect_wheels(
    checkout: Path,
    out: Path,
    architecture: str,
    pythons: Sequence[str] = PYTHONS,
    *,
    run: Run | None = None,
) -> Path:
    """Fill ``out`` with wheels, ``requirements.txt`` (with hashes) and ``bundle.json``; return ``out``.

    :param architecture: ``amd64`` or ``aarch64``
    :raises BuildError: if the checkout has no lock file, or a wheel cannot be had for one of the Pythons
    """
    if architecture not in ARCHITECTURES:
        raise BuildError(f"wheels are bundled for {' and '.join(ARCHITECTURES)}, not for {architecture}")
    if not (checkout / "uv.lock").is_file():
        raise BuildError(
            f"{checkout} has no uv.lock: wheels are bundled from a checkout of Vedette; "
            "VEDETTE_WHEELS=none builds vedette.Runtime without them"
        )
    run = run or _run
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    exported = run(_export_command(checkout), checkout)
    own = _own_wheel(checkout, out, run)
    named = _join(exported)
    wanted = {own.name}
    for python in pythons:
        wanted |= _download(named, out, architecture, python, run)
    wanted.add(_pip_wheel(out, run))
    for path in out.glob("*.whl"):
        if path.name not in wanted:
            path.unlink()
    write_if_changed(out / REQUIREMENTS_FILE, _requirements(named, own))
    facts = {"architecture": architecture, "pythons": list(pythons)}
    write_if_changed(out / FACTS_FILE, (json.dumps(facts, sort_keys=True) + "\n").encode())
    return out


def _export_command(checkout: Path) -> list[str]:
    extras = [word for extra in _EXTRAS for word in ("--extra", extra)]
    return [
        _uv(checkout),
        "export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate",
        "--format", "requirements-txt", *extras,
    ]  # fmt: skip


def _uv(checkout: Path) -> str:
    """Return the uv of the checkout, of the Python that builds, or of the machine."""
    places = (checkout / ".venv" / "bin" / "uv", Path(sys.executable).with_name("uv"))
    return next((str(place) for place in places if place.exists()), "uv")


def _own_wheel(checkout: Path, out: Path, run: Run) -> Path:
    """Build Vedette's own wheel; the same sources give the same bytes."""
    folder = out / "own.new"
    shutil.rmtree(folder, ignore_errors=True)
    command = [_uv(checkout), "build", "--wheel", "--quiet", "--out-dir", str(folder)]
    run(command, checkout)
    built = next(folder.glob("*.whl"), None)
    if built is None:
        raise BuildError(f"{checkout} gave no wheel of Vedette: {' '.join(command)}")
    place = out / built.name
    built.replace(place)
    shutil.rmtree(folder)
    return place


def _join(exported: str) -> list[str]:
    """Return one line a requirement: name, version, marker and hashes."""
    lines = exported.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.startswith("#")]


def _download(named: Sequence[str], out: Path, architecture: str, python: str, run: Run) -> set[str]:
    """Fetch what one Python needs; return the names of its wheels."""
    lines = [line for line in named if _applies(line, architecture, python)]
    wheels = out / "download.new"
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir()
    requirements = wheels / "wanted.txt"
    # The markers have been read for the device's Python: pip would read them for its own.
    requirements.write_text("\n".join(_without_marker(line) for line in lines) + "\n", encoding="utf-8")
    minor = python.partition(".")[2]
    machine = ARCHITECTURES[architecture]
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in _NEWEST_GLIBC[architecture]]
    platforms += [f"{name}_{machine}" for name in _LEGACY[architecture]]
    abis = [f"cp3{minor}", "abi3", "none"]
    command = [
        *_pip(), "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input", "--quiet",
        # The lock file has decided; pip would read an upper bound of Requires-Python, which uv does not, as a refusal.
        "--ignore-requires-python", "--disable-pip-version-check", "--find-links", str(out),
        "--implementation", "cp", "--python-version", python,
        *(word for name in platforms for word in ("--platform", name)),
        *(word for name in abis for word in ("--abi", name)),
        "--dest", str(wheels), "--requirement", str(requirements),
    ]  # fmt: skip
    run(command, out)
    names = set()
    for wheel in wheels.glob("*.whl"):
        names.add(wheel.name)
        wheel.replace(out / wheel.name)
    shutil.rmtree(wheels)
    return names


def _pip_wheel(out: Path, run: Run) -> str:
    """Fetch pip itself, with which a device installs: Debian and Ubuntu split ``ensurepip`` off."""
    folder = out / "pip.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    requirements = folder / "wanted.txt"
    requirements.write_text(f"{_PIP}\n", encoding="utf-8")
    command = [
        *_pip(), "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input", "--quiet",
        "--disable-pip-version-check", "--find-links", str(out), "--dest", str(folder),
        "--requirement", str(requirements),
    ]  # fmt: skip
    run(command, out)
    (wheel,) = folder.glob("pip-*.whl")
    wheel.replace(out / wheel.name)
    shutil.rmtree(folder)
    return wheel.name


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip"]


def _applies(line: str, architecture: str, python: str) -> bool:
    from packaging.requirements import Requirement

    marker = Requirement(line.partition(" --hash")[0]).marker
    if marker is None:
        return True
    machine = ARCHITECTURES[architecture]
    return marker.evaluate(
        {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "platform_machine": machine,
            "sys_platform": "linux",
            "platform_system": "Linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
        }
    )


def _without_marker(line: str) -> str:
    requirement, separator, hashes = line.partition(" --hash")
    return requirement.partition(";")[0].strip() + (f" --hash{hashes}" if separator else "")


def _requirements(named: Sequence[str], own: Path) -> bytes:
    import hashlib

    name, version = own.name.split("-")[:2]
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    return "\n".join([*named, f"{name}=={version} --hash=sha256:{digest}", ""]).encode()


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]} could not be run: {error}") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise BuildError(f"{' '.join(command[:4])} … failed with exit code {done.returncode}:\n{last}")
    return done.stdout
