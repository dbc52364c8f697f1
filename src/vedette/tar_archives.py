"""Reading tar archives that nobody here trusts, in little memory whatever they say.

Some kilobytes of an archive can ask for gigabytes: by one header, by many before one member, by those that hold for all
that follow, and because ``tarfile`` remembers each member with its headers.
"""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

MAX_HEADER_BYTES: Final = 1 << 20
"""Of what stands before one member, and of what holds for all that follow. Names and times take hundreds."""
_MAX_HEADERS: Final = 16
_HEADERS: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)

DAMAGED: Final = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)
"""What reading raises where an archive is damaged, or no archive."""
UNREADABLE: Final = (*DAMAGED, ValueError)
"""What unpacking raises, too: names may hold what no file system takes."""


class _Member(tarfile.TarInfo):
    """A member whose headers are bounded."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        # Where every Python decides what to read after a header; frombuf() is passed by by newer ones.
        if self.type not in _HEADERS or not isinstance(archive, _Archive):
            return self._plain(archive)
        if self.type == tarfile.XGLTYPE:
            archive.lasting_bytes += self.size
        archive.headers += 1
        archive.header_bytes += self.size
        try:
            most = max(archive.header_bytes, archive.lasting_bytes)
            if most > MAX_HEADER_BYTES:
                raise tarfile.ReadError(f"a member has headers of {most} bytes")
            if archive.headers > _MAX_HEADERS:
                raise tarfile.ReadError(f"a member has more than {_MAX_HEADERS} headers")
            return self._plain(archive)
        finally:
            archive.headers -= 1
            archive.header_bytes -= self.size

    def _plain(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return found


class _Archive(tarfile.TarFile):
    tarinfo = _Member
    headers = 0
    """How many are being read, each for the sake of the one before."""
    header_bytes = 0
    lasting_bytes = 0


def open_tar(archive: Path) -> tarfile.TarFile:
    """Open an archive, packed or not, whose files can be read in any order.

    :raises DAMAGED: if it is none
    """
    try:
        return _Archive.open(archive, "r:*")
    except ValueError as error:
        raise tarfile.ReadError(str(error)) from error


def stream_tar(file: IO[bytes] | io.RawIOBase) -> tarfile.TarFile:
    """Read an archive, packed or not, from its beginning to its end.

    :raises DAMAGED: if it is none
    """
    try:
        return _Archive.open(fileobj=cast("IO[bytes]", file), mode="r|*")
    except ValueError as error:
        raise tarfile.ReadError(str(error)) from error


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members in turn; none is remembered.

    :raises DAMAGED: where the archive is
    """
    while True:
        try:
            member = archive.next()
        except ValueError as error:
            raise tarfile.ReadError(str(error)) from error
        if member is None:
            return
        archive.members.clear()  # type: ignore[attr-defined]
        yield member


def is_tar(path: Path) -> bool:
    """Tell whether a file is a tar archive, packed or not."""
    try:
        open_tar(path).close()
    except DAMAGED:
        return False
    return True
