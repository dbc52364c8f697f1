"""What a prepared environment is to who starts an application in it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A Python environment that is ready: its imports were tried."""

    python: Path
    """The interpreter, as a path that knows its environment."""
    bin_dir: Path
    """First on the application's PATH: python, python3, python3.7 and so on all lead to the one interpreter."""
    read_only: tuple[Path, ...]
    """Host paths that the application must see, at the same place, for it to work."""
    summary: str
    """Which interpreter and which libraries, and why: a few sentences for the operator."""
    warnings: tuple[str, ...] = ()
    """What deviates from what the application asked for, one sentence each."""
    debugger: Path | None = None
    """Folder of the debugger's package, where the application is to wait for one."""
    root: Path | None = None
    """Folder of the root file system that the application brings; None: it sees this machine's programs. With it,
    ``python`` and ``bin_dir`` are places inside."""
