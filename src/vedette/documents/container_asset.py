"""A package's container asset: the root file system that ``docker export`` wrote, as an archive in assets/."""

import struct
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from vedette.documents.model_files import ModelFileError
from vedette.tar_archives import UNREADABLE, members, stream_tar

_MACHINES: Final = {0x3E: "x86_64", 0xB7: "aarch64", 0x28: "armv7l", 0x03: "i686", 0xF3: "riscv64"}
_FOLDERS: Final = frozenset({"bin", "usr/bin", "usr/local/bin", "lib64", "usr/lib64"})
_MAX_MEMBERS: Final = 500_000


@dataclass(frozen=True)
class ContainerArchive:
    """The archive, and what it is for."""

    path: Path
    sha256: str
    architecture: str
    """Of its programs, as uname has it; "unknown" where it holds none that can be told."""


def architecture_of(path: Path) -> str:
    """Return the architecture of the programs in the archive: that of the first one in a folder for programs.

    :raises ModelFileError: if it cannot be read as an archive
    """
    try:
        with path.open("rb") as file, stream_tar(file) as archive:
            for count, member in enumerate(members(archive)):
                if count > _MAX_MEMBERS:
                    break
                place = PurePosixPath(member.name)
                if not member.isfile() or str(place.parent) not in _FOLDERS or member.size < 20:
                    continue
                source = archive.extractfile(member)
                head = source.read(20) if source is not None else b""
                if head[:4] == b"\x7fELF":
                    order = "<" if head[5] == 1 else ">"
                    return _MACHINES.get(struct.unpack_from(f"{order}H", head, 18)[0], "unknown")
    except UNREADABLE as error:
        raise ModelFileError(f"{path.name} is not an archive that can be read: {error}") from error
    return "unknown"
