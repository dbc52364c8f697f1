"""Files in a folder that an application may write to: what was a file a moment ago may be anything by now, or gone."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading; the folders above it must be ours.

    :raises OSError: when it is not there, or is a link (which would lead out), a pipe (which would hold us up) or else
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path.name} is no plain file")
    return os.fdopen(fd, "rb")


def plain_files(folder: Path, most: int | None = None) -> Iterator[tuple[str, os.stat_result]]:
    """Yield name and status of the plain files that stand in a folder; one that is removed meanwhile is passed over.

    :param most: of what the folder holds, how much is looked at
    :raises OSError: when the folder cannot be read
    """
    with os.scandir(folder) as entries:
        for entry in islice(entries, most):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # a log was turned over, say: the others are there all the same
            if stat.S_ISREG(status.st_mode):
                yield entry.name, status
