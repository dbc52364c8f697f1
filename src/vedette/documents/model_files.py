"""Model files: plain, or inside an archive of assets/. Bounded, and never unpacked to a place an archive names."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

from vedette.tar_archives import DAMAGED, members, open_tar

ModelFormat = Literal["onnx", "tflite"]
FORMATS: Final[dict[str, ModelFormat]] = {".onnx": "onnx", ".tflite": "tflite"}
"""Suffixes of files that are taken as they are."""
OTHER_MODELS: Final = (
    ".pth", ".pt", ".pt2", ".pb", ".params", ".h5", ".keras", ".hdf5", ".caffemodel", ".torchscript", ".weights",
)  # fmt: skip
_MAX_MEMBERS: Final = 10_000
_MAX_BYTES: Final = 8 << 30
"""AWS's limit for an asset."""
_CHUNK: Final = 1 << 20


class ModelFileError(Exception):
    """A model archive cannot be used."""


@dataclass(frozen=True)
class ModelFile:
    """A model file and where it comes from."""

    name: str
    """File name without folder."""
    path: Path
    """The file itself, or the archive."""
    member: str | None = None
    """Name inside the archive."""

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the model for reading.

        :raises ModelFileError: if the file or its archive cannot be read
        """
        try:
            if self.member is None:
                with self.path.open("rb") as opened:
                    yield opened
                return
            with open_tar(self.path) as archive:
                named = [member for member in members(archive) if member.name == self.member and member.isfile()]
                stream = archive.extractfile(named[-1]) if named else None
                if stream is None:
                    raise ModelFileError(f"{self.path.name}: {self.member} is not a file")
                yield stream
        except DAMAGED as error:
            raise ModelFileError(f"{self.path.name} cannot be read: {_reason(error)}") from error

    def copy_to(self, target: Path) -> None:
        """Write the model to ``target``.

        :raises ModelFileError: if the file or its archive cannot be read
        """
        with self.open() as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the model.

        :raises ModelFileError: if the file or its archive cannot be read
        """
        digest = hashlib.sha256()
        with self.open() as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @property
    def format(self) -> ModelFormat | None:
        """Return the format, or None for a file that would have to be converted."""
        return FORMATS.get(PurePosixPath(self.name).suffix.lower())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    :raises OSError: if it cannot be read
    """
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def archive_members(path: Path) -> list[str]:
    """Return the names of the regular files in a tar archive.

    :raises ModelFileError: if it is no archive, or has too many or too large members
    """
    names: list[str] = []
    total = 0
    try:
        with open_tar(path) as archive:
            for count, member in enumerate(members(archive), start=1):
                total += member.size
                if count > _MAX_MEMBERS or total > _MAX_BYTES:
                    raise ModelFileError(f"{path.name} holds more than {_MAX_MEMBERS} files or {_MAX_BYTES >> 30} GiB")
                if member.isfile():
                    names.append(member.name)
    except DAMAGED as error:
        raise ModelFileError(f"{path.name} is not a tar archive: {_reason(error)}") from error
    return names


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is a tar archive."""
    return path.name.endswith((".tar.gz", ".tgz", ".tar"))


def with_side_files(member: str, names: list[str]) -> list[str]:
    """Return ``member`` and what belongs to it: ONNX keeps large weights in files beside (``model.onnx.data``)."""
    model = PurePosixPath(member)
    beside = [
        name
        for name in names
        if PurePosixPath(name).parent == model.parent
        and name != member
        and PurePosixPath(name).name.startswith(model.stem)
        and PurePosixPath(name).suffix.lower() in {".data", ".bin", ".weights"}
    ]
    return [member, *sorted(beside)]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip("'\"")[:120] or type(error).__name__
