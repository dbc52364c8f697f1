"""The files of a model: which, whether they are there, whether they changed, what they hash to."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vedette_model_inference.errors import LoadError
from vedette_model_inference.onnx_file import external_files

Fingerprint = tuple[tuple[int, ...] | None, ...]
_CHUNK_BYTES = 1 << 20


def fingerprint(paths: Iterable[Path]) -> Fingerprint:
    """Return what changes when one of the files is written, replaced, removed, or gets other permissions."""
    return tuple(_fingerprint(path) for path in paths)


def _fingerprint(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def find(paths: Sequence[Path]) -> Path:
    """Return the first of ``paths`` that is a readable file.

    :raises LoadError: what is wrong with the first one, when there is none.
    """
    reasons = []
    for path in paths:
        if path.is_dir():
            reasons.append(f"{path} is a folder, expected a model file")
        elif not path.exists():
            reasons.append(f"{path} does not exist: is the component of the model deployed?")
        elif not os.access(path, os.R_OK):
            reasons.append(f"{path} may not be read by this user: check its permissions")
        else:
            return path
    raise LoadError(reasons[0])


def model_files(path: Path, model_format: str) -> tuple[Path, ...]:
    """Return the file and those it keeps its weights in.

    :raises LoadError: when it is not a model of that format, or wants files that it may not have.
    """
    if model_format == "onnx":
        return (path, *external_files(path))
    return (path,)


def digest(files: Iterable[Path]) -> str:
    """Return 32 hex digits of what is in the files, 1 GB in about a second.

    :raises LoadError: when one cannot be read.
    """
    whole = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    whole.update(chunk)
        except OSError as error:
            raise LoadError(f"cannot read {file}: {error.strerror}") from error
        whole.update(b"\0")
    return whole.hexdigest()[:32]
