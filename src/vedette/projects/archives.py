"""A project that came as an archive: unpacked whole beside others, or not at all."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from vedette.projects.errors import ProjectError
from vedette.tar_archives import UNREADABLE, is_tar, members, open_tar

_MAX_MEMBERS: Final = 100_000
_MAX_BYTES: Final = 64 << 30
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class _Member:
    """A regular file of an archive."""

    name: str
    size: int
    executable: bool
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Tell whether a file is a ZIP or tar archive."""
    return path.is_file() and (zipfile.is_zipfile(path) or is_tar(path))


def unpack_project(archive: Path, out: Path) -> Path:
    """Unpack the project in an archive to ``out``, which must not be there; return it.

    The project is the folder in the archive that holds ``graphs/``. Regular files alone are taken.

    :raises ProjectError: if the archive holds no project, several, leads out of its folder, or cannot be read
    """
    if out.exists():
        raise ProjectError(f"{out} is there already", "give another folder: --out DIR")
    new = out.with_name(f".{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        with _members(archive) as found:
            _write(archive, found, new)
        root = _root(archive, new)
        root.replace(out)
    except (*UNREADABLE, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)[:120]
        raise ProjectError(f"{archive.name} cannot be unpacked: {reason}", "is it whole? copy it again") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return out


def _write(archive: Path, found: Iterator[_Member], new: Path) -> None:
    total = 0
    for count, member in enumerate(found, start=1):
        total += member.size
        if count > _MAX_MEMBERS or total > _MAX_BYTES:
            raise ProjectError(f"{archive.name} holds over {_MAX_MEMBERS} files or {_MAX_BYTES >> 30} GiB")
        place = PurePosixPath(member.name)
        if place.is_absolute() or ".." in place.parts or "\\" in member.name:
            raise ProjectError(f"{archive.name} has a member that leads out of it: {member.name[:80]!r}")
        path = new / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, path.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
        if member.executable:
            path.chmod(0o755)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield (_zipped(opened, info) for info in opened.infolist() if not _is_folder_or_link(info))
        return
    with open_tar(archive) as tar:
        yield (
            _Member(m.name, m.size, bool(m.mode & stat.S_IXUSR), _tarred(tar, m)) for m in members(tar) if m.isfile()
        )


def _is_folder_or_link(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or stat.S_ISLNK(info.external_attr >> 16)


def _zipped(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    executable = bool(info.external_attr >> 16 & stat.S_IXUSR)
    return _Member(info.filename, info.file_size, executable, lambda: opened.open(info))


def _tarred(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        file = tar.extractfile(member)
        if file is None:
            raise tarfile.TarError(f"{member.name} is no file")
        return file

    return opened


def _root(archive: Path, new: Path) -> Path:
    places = sorted(
        path.parent for path in new.rglob("graphs") if path.is_dir() and (path.parent / "packages").is_dir()
    )
    if len(places) == 1:
        return places[0]
    found = ", ".join(str(place.relative_to(new)) for place in places[:4])
    raise ProjectError(
        f"{archive.name} holds {f'{len(places)} projects: {found}' if places else 'no project'}",
        "expected one folder with graphs/, packages/ and assets/",
    )
