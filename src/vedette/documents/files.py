"""Reads files of a project, bounded: regular files inside the project, of limited size, in UTF-8."""

import os
import stat
from pathlib import Path
from typing import Final

from vedette.documents.findings import Finding, general

MAX_DOCUMENT_BYTES: Final = 1 << 20
"""AWS took manifests of at most 51,200 characters; package documents are smaller."""
_BOM: Final = b"\xef\xbb\xbf"


def is_inside(path: Path, root: Path) -> bool:
    """Tell whether ``path``, with every symbolic link followed, lies in ``root``."""
    try:
        return path.resolve(strict=False).is_relative_to(root.resolve(strict=False))
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name with a NUL
        return False


def read_text(path: Path, root: Path, file: str, found: list[Finding]) -> str | None:
    """Return the text of the file at ``path``, or None and a finding."""
    data = _read(path, root, file, found)
    if data is None:
        return None
    if data.startswith(_BOM):
        found.append(general("V008", "file begins with a byte order mark", "save it as UTF-8 without one", file=file))
        data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        guess = "it looks like UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else f"byte 0x{data[error.start]:02x}"
        found.append(Finding(file, line, column, "V003", f"file is not UTF-8: {guess}", "save it as UTF-8"))
        return None


def _read(path: Path, root: Path, file: str, found: list[Finding]) -> bytes | None:
    if not is_inside(path, root):
        hint = "copy the file into the project"
        found.append(general("V007", "path leads out of the project through a symbolic link", hint, file=file))
        return None
    try:
        # Not blocking: a FIFO must not hold the reader for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        found.append(general("V001", f"file cannot be read: {reason}", file=file))
        return None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        found.append(general("V001", "file cannot be read: it is not a regular file", file=file))
        return None
    try:
        with os.fdopen(handle, "rb") as opened:
            data = opened.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        found.append(general("V001", f"file cannot be read: {error.strerror}", file=file))
        return None
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"file has {max(status.st_size, len(data))} bytes: at most {MAX_DOCUMENT_BYTES} are read"
        found.append(general("V002", message, file=file))
        return None
    return data
