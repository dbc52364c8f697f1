"""Writing a file so that whoever reads it finds the old content or the new one, whole, at any moment."""

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600


def write_whole(path: Path, data: bytes, *, mode: int = 0o666, synced: bool = False) -> None:
    """Write a file beside its place and rename it. Two at once for one path are the caller's to prevent.

    :param mode: of the file, less the umask, from its first byte on
    :param synced: whether it is on the disk when this returns; without, power that fails may cost it
    :raises OSError: when it cannot be written; the old file stays
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a process that was killed: with another mode, or a link
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)  # noqa: PTH105 - says better than Path.replace what happens to an existing file
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if synced:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the name, too
        finally:
            os.close(folder)
