"""Unpacks a ZIP artifact beside the component store, once per content.

The new folder is made beside the old one and renamed into place, so a power cut leaves either the old or the new one.
"""

import hashlib
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from vedette.nucleus.errors import StoreError
from vedette.whole_files import write_whole

_CHUNK: Final = 1 << 20


def unpack(archive: Path, folder: Path, *, executable: bool = False) -> tuple[str, bool]:
    """Unpack ``archive`` as ``folder``/<stem>/ unless that holds this content already, and nobody has changed it.

    Return the content's SHA-256 and whether it was unpacked.

    Executable bits are kept; ``executable`` sets them on every file.

    :raises StoreError: if it is not a ZIP file, or an entry would land outside the folder or is a symbolic link
    """
    target = folder / archive.stem
    marker = folder / f".{archive.stem}.unpacked"
    status = archive.stat()
    known = _read_marker(marker) if target.is_dir() else {}
    whole = bool(known) and known.get("files") == _files(target, known.get("files"))
    if whole and known.get("size") == status.st_size and known.get("mtime_ns") == status.st_mtime_ns:
        return str(known["sha256"]), False
    digest = _sha256(archive)
    changed = not whole or known.get("sha256") != digest
    if changed:
        _replace(archive, target, executable=executable)
    document = {
        "sha256": digest,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "files": _files(target) if changed else known["files"],
    }
    write_whole(marker, json.dumps(document).encode())
    return digest, changed


def _files(folder: Path, known: object = None) -> dict[str, list[int]]:
    """Return size and time of change (ns) of the files in a folder; of those that are ``known`` alone, if they are."""
    names = known if isinstance(known, dict) else (str(path.relative_to(folder)) for path in folder.rglob("*"))
    found = {}
    for name in names:
        try:
            status = (folder / name).lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found[name] = [status.st_size, status.st_mtime_ns]
    return found


def _read_marker(marker: Path) -> dict[str, object]:
    try:
        document = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and "sha256" in document else {}


def _replace(archive: Path, target: Path, *, executable: bool) -> None:
    fresh = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _extract(archive, fresh, executable=executable)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise StoreError(f"artifact {archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _extract(archive: Path, folder: Path, *, executable: bool) -> None:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            mode = entry.external_attr >> 16
            path = _safe_path(archive, entry.filename)
            if stat.S_ISLNK(mode):
                raise StoreError(
                    f"artifact {archive}: {entry.filename!r} is a symbolic link; pack the file it points to instead"
                )
            target = folder / path
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
            target.chmod(0o755 if executable or mode & 0o100 else 0o644)


def _safe_path(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts or os.sep * 2 in name:
        raise StoreError(f"artifact {archive}: {name!r} would be unpacked outside its folder; the archive is refused")
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
