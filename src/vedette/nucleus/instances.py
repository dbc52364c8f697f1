"""The registry of running instances: one folder each, found by the other commands, cleared when its process is gone.

``$XDG_RUNTIME_DIR/vedette`` (or ``/tmp/vedette-<uid>``), mode 0700, holds a run folder for each instance: its sockets
and ``instance.json``. Whether the instance lives is judged by process number *and* start time *and* boot.
"""

import json
import logging
import os
import secrets
import shutil
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vedette.nucleus import guard_process
from vedette.nucleus.errors import NucleusError
from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)

_FILE: Final = "instance.json"
_YOUNG_S: Final = 10.0
"""A run folder without a file is left alone for this long: its nucleus is about to write it."""


@dataclass(frozen=True)
class Instance:
    """A running nucleus. ``start``: clock ticks since boot; ``started_at``: Unix time, s."""

    run_id: str
    pid: int
    start: int
    boot_id: str
    root: str
    thing_name: str
    started_at: float
    folder: Path

    @property
    def control_socket(self) -> Path:
        """Return the socket that answers ``vedette.nucleus.control.request``."""
        return self.folder / "control.sock"

    @property
    def alive(self) -> bool:
        """Tell whether the process that wrote the entry still runs."""
        if self.boot_id != _boot_id():
            return False
        known = guard_process.process_stat(self.pid)
        return known is not None and known.start == self.start and known.state not in "ZX"


def registry_folder() -> Path:
    """Return the folder of the registry, made if need be.

    :raises NucleusError: if it belongs to somebody else or others may enter it
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        folder = Path(runtime) / "vedette"
    else:
        # Not TMPDIR: it may differ between two shells, and be too long for a socket's path.
        folder = Path("/tmp") / f"vedette-{os.getuid()}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise NucleusError(
            f"{folder} must be a folder of your own that nobody else may enter; remove it, or run: chmod 700 {folder}"
        )
    return folder


def new_run_id() -> str:
    """Return a new run's id: 12 hex digits."""
    return secrets.token_hex(6)


def register(run_id: str, root: Path, thing_name: str) -> Instance:
    """Write this process's entry into its run folder, which must exist."""
    folder = registry_folder() / run_id
    me = guard_process.process_stat(os.getpid())
    instance = Instance(
        run_id=run_id,
        pid=os.getpid(),
        start=0 if me is None else me.start,
        boot_id=_boot_id(),
        root=str(root),
        thing_name=thing_name,
        started_at=time.time(),
        folder=folder,
    )
    document = {key: value for key, value in asdict(instance).items() if key != "folder"}
    write_whole(folder / _FILE, json.dumps(document).encode())
    return instance


def find_instances() -> list[Instance]:
    """Return the running instances of this user, oldest first; what dead ones left is cleaned up on the way."""
    found = []
    for folder in sorted(registry_folder().iterdir()):
        instance = _read(folder)
        if instance is not None and instance.alive:
            found.append(instance)
        elif instance is not None:
            _clear(instance)
        elif _age_s(folder) > _YOUNG_S:
            shutil.rmtree(folder, ignore_errors=True)
    return sorted(found, key=lambda instance: instance.started_at)


def _clear(instance: Instance) -> None:
    """Clean up after an instance whose guard died as well, or is still at work: both may do it at once."""
    logger.info("cleaning up after run %s, whose process %d is gone", instance.run_id, instance.pid)
    work = str(Path(instance.root) / "work")
    same_boot = instance.boot_id == _boot_id()
    if same_boot:
        guard_process.clean_up(instance.run_id, str(instance.folder), work, {}, guard_process.TERM_GRACE_S)
    else:
        guard_process.remove_tree(str(instance.folder))


def _read(folder: Path) -> Instance | None:
    try:
        document = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Instance(folder=folder, **document)
    except (OSError, ValueError, TypeError):
        return None


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.lstat().st_mtime
    except OSError:
        return 0.0


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
