"""Who listens on a TCP port of this device, for people: the name of an application or of a program."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
_INSTANCE: Final = re.compile(rb"/(vedette\.app\.[^/\0]+)(?:[/\0]|$)")
_MOST_PARENTS: Final = 10


def holder_of(port: int, proc: Path = Path("/proc")) -> str | None:
    """Return who listens on ``port``; None when nobody does, or it is not to be seen."""
    inodes = set(_inodes(port, proc))
    if not inodes:
        return None
    for folder in proc.glob("[0-9]*"):
        if any(link in inodes for link in _links(folder / "fd")):
            return _name(folder, proc)
    return "another program"


def _links(folder: Path) -> Iterator[str]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return  # another user's process, or gone
    for entry in entries:
        try:
            yield os.readlink(entry)  # noqa: PTH115 - they name no files
        except OSError:
            continue  # closed meanwhile


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _name(folder: Path, proc: Path) -> str:
    """Return the instance whose host started the process, or the program's own name."""
    try:
        program = (folder / "comm").read_text().strip()
    except OSError:
        return "another program"
    for _ in range(_MOST_PARENTS):
        try:
            found = _INSTANCE.search((folder / "cmdline").read_bytes())
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            break
        if found:
            return found[1].decode(errors="replace")
        folder = proc / parent
    return program
