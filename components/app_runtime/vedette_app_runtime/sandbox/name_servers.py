"""The application's ``/etc/resolv.conf``: what the machine's says, also when that changes while the application runs.

A mount of the machine's own file would show for ever what it was at the start: network managers replace the file, and
a mount stays with the one that was replaced. So a copy is shown, and written anew in place; resolvers (glibc since
2.26, musl) read it again when it has changed.
"""

import logging
import os
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

MACHINES: Final = Path("/etc/resolv.conf")
_MOST_BYTES: Final = 64 * 1024


class NameServers:
    """One application's copy of the file. Called by one thread."""

    def __init__(self, copy: Path, source: Path | None = None) -> None:
        """Nothing is read before :meth:`refresh`."""
        self.copy = copy
        self._source = source or MACHINES
        self._said: bytes | None = None

    def refresh(self) -> None:
        """Bring the copy up to date. Without a file on the machine, which may be just being replaced, it stays.

        :raises OSError: if the copy cannot be written
        """
        try:
            with self._source.open("rb") as file:
                said = file.read(_MOST_BYTES)
        except OSError:
            if self._said is not None:
                return
            said = b""
        if said == self._said and self.copy.exists():
            return
        if self._said is not None and said != self._said:
            logger.info("the machine's name servers have changed; the application has the new ones")
        _write_in_place(self.copy, said)
        self._said = said


def _write_in_place(path: Path, said: bytes) -> None:
    """Write the file that is mounted, not another one of its name; whoever reads meanwhile sees no half line."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        before = os.fstat(fd).st_size
        os.pwrite(fd, said.ljust(before, b"\n"), 0)
        os.ftruncate(fd, len(said))
    finally:
        os.close(fd)
