"""Reproducible ZIP files: the same content gives the same bytes, whenever and wherever it is packed."""

import filecmp
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vedette.whole_files import write_whole

_LEFT_OUT: Final = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".git"})
_LEFT_OUT_SUFFIXES: Final = (".pyc", ".pyo")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LEVEL: Final = 6
_CHUNK: Final = 1 << 20


class BuildError(Exception):
    """Something that cannot be packed or built; the text says what and what to do."""


def write_zip(out: Path, contents: Mapping[str, Path]) -> bool:
    """Pack ``contents`` (place in the archive -> file or folder) into ``out``; return whether ``out`` changed.

    Symbolic links are followed; caches of Python and of tools are left out. File modes are reduced to whether the owner
    may execute, time stamps to 1980, and the order is by name. A file with equal bytes is not written again.

    :raises BuildError: if something is missing or cannot be read
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, path in sorted(_files(contents)):
            _add(archive, name, path)
    if out.exists() and filecmp.cmp(fresh, out, shallow=False):
        fresh.unlink()
        return False
    fresh.replace(out)
    return True


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.create_system = 3
    info.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
    # Wheels are archives themselves: packing hundreds of MB again takes long and saves nothing.
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
    try:
        info.file_size = path.stat().st_size
        with path.open("rb") as source, archive.open(info, "w") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
    except OSError as error:
        raise BuildError(f"{path} cannot be packed: {error.strerror}") from error


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write a file, by way of another name, unless it holds ``data`` already; return whether it was written."""
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return True


def _files(contents: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for place, path in contents.items():
        if path.is_dir():
            yield from _walk(place.strip("/"), path, (path.resolve(),))
        elif path.is_file():
            yield place.strip("/"), path
        else:
            raise BuildError(f"{path} is not there; it should become {place!r} in the archive")


def _walk(place: str, folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    for entry in folder.iterdir():
        if entry.name in _LEFT_OUT or entry.name.endswith(_LEFT_OUT_SUFFIXES):
            continue
        name = f"{place}/{entry.name}" if place else entry.name
        if entry.is_dir():
            real = entry.resolve()
            if real in above:
                raise BuildError(f"{entry} is a link to a folder that it lies in: the archive would have no end")
            yield from _walk(name, entry, (*above, real))
        elif entry.is_file():
            yield name, entry
        elif entry.is_symlink():
            raise BuildError(f"{entry} is a link to a file that does not exist")
