"""Opening a file in a folder that an application may write to: what was a file a moment ago may be anything by now."""

import os
import stat
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
