"""The file system of a container image as one archive, the way ``panorama-cli build-container`` made it.

Docker or Podman does the work; without either, an archive that was exported elsewhere may be given.
"""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import IO, Final

from vedette.projects.errors import ProjectError
from vedette.tar_archives import UNREADABLE, members, open_tar

ENGINES: Final = ("docker", "podman")
_BUILD_S: Final = 3600.0
_CALL_S: Final = 120.0
_CHUNK: Final = 1 << 20


def find_engine(wanted: str | None = None) -> str:
    """Return the program that builds containers.

    :raises ProjectError: if there is none
    """
    if wanted is not None and wanted not in ENGINES:
        raise ProjectError(f"--engine takes {' or '.join(ENGINES)}, got `{wanted[:40]}`")
    found = next((name for name in ENGINES if wanted in {None, name} and shutil.which(name)), None)
    if found is None:
        raise ProjectError(
            f"there is no {wanted or ' and no '.join(ENGINES)} here",
            "applications run from their sources without it; an exported file system is taken with --tar FILE",
        )
    return found


def build_image(engine: str, folder: Path, tag: str, *, pull: bool) -> str:
    """Build the image of a package's Dockerfile; return its tag.

    :raises ProjectError: if there is no Dockerfile, or it cannot be built
    """
    if not (folder / "Dockerfile").is_file():
        raise ProjectError(f"{folder.name} has no Dockerfile")
    arguments = [engine, "build", "--tag", tag, *(["--pull"] if pull else []), str(folder)]
    done = subprocess.run(arguments, check=False, timeout=_BUILD_S, stdout=2, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise ProjectError(f"{engine} build ended with {done.returncode}", "what it said stands above")
    return tag


def export_image(engine: str, image: str, target: Path) -> None:
    """Write the file system of ``image`` to ``target``, packed with gzip; nothing of it is held in memory.

    :raises ProjectError: if the engine does not know the image or cannot export it
    """
    made = subprocess.run(
        [engine, "create", image, "/bin/true"],
        check=False,
        timeout=_CALL_S,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    container = made.stdout.strip().splitlines()[-1:] or [""]
    if made.returncode or not container[0]:
        raise ProjectError(f"{engine} create {image}: {made.stderr.strip()[-300:] or made.returncode}")
    try:
        with subprocess.Popen(
            [engine, "export", container[0]], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as run:
            if run.stdout is None:
                raise ProjectError(f"{engine} export gave nothing")
            _pack(run.stdout, target)
            if run.wait(_CALL_S):
                raise ProjectError(f"{engine} export ended with {run.returncode}")
    finally:
        subprocess.run([engine, "rm", "-f", container[0]], check=False, timeout=_CALL_S, capture_output=True)


def pack_exported(archive: Path, target: Path) -> None:
    """Write an exported file system, plain tar or packed with gzip, to ``target``.

    :raises ProjectError: if it is no tar archive
    """
    try:
        with open_tar(archive) as opened:
            if next(members(opened), None) is None:
                raise ProjectError(f"{archive.name} is an empty archive")
        with archive.open("rb") as source:
            packed = source.read(2) == b"\x1f\x8b"
            source.seek(0)
            if packed:
                with target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
            else:
                _pack(source, target)
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no tar archive"
        raise ProjectError(f"{archive} cannot be used: {reason}", "expected what `docker export` wrote") from error


def _pack(source: IO[bytes], target: Path) -> None:
    # No time and no name in the header: equal file systems give equal bytes, and so equal names.
    with target.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
