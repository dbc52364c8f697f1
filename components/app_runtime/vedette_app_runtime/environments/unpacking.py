"""Unpacks a root file system from an archive that nobody here trusts, as an ordinary user.

Nothing is written through a link, whatever the archive says: each step on the way to a file is opened by itself, and
must be a folder. What a root file system needs and an application must not have is left out: devices, set-user-id
bits, owners, capabilities. Links keep their targets, which mean what they say inside the sandbox only; the host never
follows them.
"""

import contextlib
import hashlib
import io
import os
import stat
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.tar_archives import members, stream_tar
from vedette_app_runtime.environments.errors import ContainerUnusable

MAX_BYTES: Final = 40 << 30
MAX_MEMBERS: Final = 2_000_000
_MAX_DEPTH: Final = 256
_CHUNK: Final = 1 << 20
_RESERVE_BYTES: Final = 256 << 20
"""Room on the disk that unpacking leaves to others."""
_LOOK_BYTES: Final = 64 << 20
"""So much of one file is written before it is seen whether there is room for more."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PROGRESS_S: Final = 2.0

FOLDERS: Final = (
    *("proc", "sys", "dev", "run", "tmp", "var/tmp", "etc"),
    *("panorama", "opt/aws/panorama/storage", "opt/aws/panorama/logs", "opt/vedette"),
)
"""Where the sandbox mounts something; made where the archive lacks them, since the root is closed for writing."""
FILES: Final = ("etc/resolv.conf", "etc/hosts", "etc/passwd", "etc/group")


@dataclass
class Unpacked:
    """What was found in the archive."""

    members: int = 0
    bytes: int = 0
    left_out: int = 0
    """Devices, pipes and sockets."""
    privileged: int = 0
    """Files whose set-user-id or set-group-id bit was taken away."""


def unpack_root(
    archive: Path,
    target: Path,
    *,
    sha256: str,
    progress: Callable[[str], None],
    stop: threading.Event,
    max_bytes: int = MAX_BYTES,
    max_members: int = MAX_MEMBERS,
) -> Unpacked:
    """Unpack ``archive`` (tar, also compressed) into the new folder ``target``.

    :param sha256: what the archive's own bytes must hash to
    :raises ContainerUnusable: if it is damaged, another one, too large, or names a place outside of itself
    :raises OSError: if the disk does not take it
    """
    target.mkdir(mode=0o755)
    found = Unpacked()
    root = os.open(target, _FOLDER)
    told = time.monotonic()
    try:
        with archive.open("rb") as raw:
            hashing = _Hashing(raw)
            try:
                with stream_tar(hashing) as opened:
                    for member in members(opened):
                        if stop.is_set():
                            raise ContainerUnusable("stopped while the container asset was being unpacked")
                        found.members += 1
                        found.bytes += member.size if member.isfile() else 0
                        if found.members > max_members or found.bytes > max_bytes:
                            raise ContainerUnusable(
                                f"{archive.name} holds more than {max_members} files or {max_bytes >> 20} MiB"
                            )
                        _put(root, opened, member, found, lambda: _go_on(root, archive, stop))
                        if time.monotonic() - told > _PROGRESS_S:
                            told = time.monotonic()
                            progress(f"unpacking the container asset: {found.bytes >> 20} MiB")
                            _leave_room(root, archive)
            except (tarfile.TarError, EOFError, ValueError) as error:
                raise ContainerUnusable(f"{archive.name} is no archive that can be read: {error}") from error
            hashing.drain()
        if hashing.digest != sha256:
            raise ContainerUnusable(
                f"{archive.name} is damaged: its SHA-256 is {hashing.digest}, expected {sha256}; copy it again"
            )
        for name in FOLDERS:
            with _folder(root, name.split("/"), replace=True):
                pass
        for name in FILES:
            *above, last = name.split("/")
            with _folder(root, above, replace=True) as parent:
                _make_file(parent, last)
    finally:
        os.close(root)
    return found


class _Hashing(io.RawIOBase):
    """Passes a file on and hashes all of it."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        super().__init__()
        self._raw = raw
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read what the archive's reader had no use for."""
        while self.read(_CHUNK):
            pass


def _parts(name: str, archive_name: str) -> list[str]:
    """Return the steps of a member's name.

    :raises ContainerUnusable: if it leads outside
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name or len(parts) > _MAX_DEPTH:
        raise ContainerUnusable(f"{archive_name} is not to be trusted: it holds a file named {name[:100]!r}")
    return parts


def _put(
    root: int, opened: tarfile.TarFile, member: tarfile.TarInfo, found: Unpacked, go_on: Callable[[], None]
) -> None:
    archive_name = "the container asset"
    parts = _parts(member.name, archive_name)
    if not parts:
        return
    *above, name = parts
    if member.isdir():
        with _folder(root, parts) as folder:
            os.fchmod(folder, stat.S_IMODE(member.mode) & 0o777 | 0o700)
        return
    if not (member.isfile() or member.issym() or member.islnk()):
        # Every export has some below /dev, where the sandbox has its own.
        found.left_out += parts[0] != "dev"
        return
    with _folder(root, above) as parent:
        _remove(parent, name)
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        elif member.islnk():
            _hard_link(root, _parts(member.linkname, archive_name), parent, name)
        else:
            found.privileged += bool(member.mode & (stat.S_ISUID | stat.S_ISGID))
            _write(opened, member, parent, name, go_on)


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str, go_on: Callable[[], None]) -> None:
    source = opened.extractfile(member)
    if source is None:
        raise ContainerUnusable(f"the container asset's file {member.name[:100]!r} cannot be read")
    mode = stat.S_IMODE(member.mode) & 0o777 | 0o600
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent)
    with source, os.fdopen(fd, "wb") as sink:
        os.fchmod(fd, mode)
        since = 0
        while data := source.read(_CHUNK):
            sink.write(data)
            since += len(data)
            if since >= _LOOK_BYTES:
                since = 0
                go_on()
        sink.flush()
        with contextlib.suppress(OverflowError, ValueError, OSError):  # an archive may say any time
            os.utime(fd, (member.mtime, member.mtime))


def _hard_link(root: int, wanted: list[str], parent: int, name: str) -> None:
    if not wanted:
        raise ContainerUnusable(f"the container asset's link {name[:100]!r} leads to no file")
    *above, last = wanted
    with _folder(root, above, make=False) as source:
        try:
            status = os.stat(last, dir_fd=source, follow_symlinks=False)
        except OSError:
            status = None
        if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            raise ContainerUnusable(f"the container asset's link {name[:100]!r} leads to no file of it")
        os.link(last, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)


@contextmanager
def _folder(root: int, parts: list[str], *, make: bool = True, replace: bool = False) -> Iterator[int]:
    """Open a folder below ``root`` step by step, through no link; ``replace``: put folders in the place of links.

    :raises ContainerUnusable: if a step is a link or a file
    """
    current = os.dup(root)
    try:
        for part in parts:
            if replace:
                status = _status(current, part)
                if status is not None and not stat.S_ISDIR(status.st_mode):
                    os.unlink(part, dir_fd=current)
            if make:
                try:
                    os.mkdir(part, 0o755, dir_fd=current)
                except FileExistsError:
                    pass
            try:
                below = os.open(part, _FOLDER, dir_fd=current)
            except OSError as error:
                raise ContainerUnusable(
                    f"the container asset is not to be trusted: it puts a file below {part[:100]!r}, which is a link "
                    f"or a file ({error.strerror})"
                ) from error
            os.close(current)
            current = below
        yield current
    finally:
        os.close(current)


def _status(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove(parent: int, name: str) -> None:
    """Remove what an earlier member of the same name has left, unless it is a folder."""
    status = _status(parent, name)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            raise ContainerUnusable(
                f"the container asset puts a file in the place of its folder {name[:100]!r}"
            ) from error
    else:
        os.unlink(name, dir_fd=parent)


def _make_file(parent: int, name: str) -> None:
    status = _status(parent, name)
    if status is not None and not stat.S_ISREG(status.st_mode):
        _remove(parent, name)
        status = None
    if status is None:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent))


def _go_on(root: int, archive: Path, stop: threading.Event) -> None:
    """:raises ContainerUnusable: if stop was asked for, or the disk has no room"""
    if stop.is_set():
        raise ContainerUnusable("stopped while the container asset was being unpacked")
    _leave_room(root, archive)


def _leave_room(root: int, archive: Path) -> None:
    room = os.fstatvfs(root)
    if room.f_bavail * room.f_frsize < _RESERVE_BYTES:
        raise ContainerUnusable(
            f"the disk has no room for the container asset {archive.name}: free some, or use sources"
        )
