"""``vedette logs``: what components and applications of a running instance wrote."""

import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vedette.cli.failure import Failure
from vedette.cli.log_lines import Wanted
from vedette.cli.session import STATE_FOLDER
from vedette.nucleus.instances import find_instances

_PERIOD_S: Final = 0.3


def show_logs(
    name: str | None,
    directory: Path | None,
    *,
    lines: int,
    follow: bool,
    level: str | None = None,
    since_s: float | None = None,
) -> int:
    """Print the newest lines of every log that fits ``name``, then what is added, until Ctrl-C.

    :raises Failure: when nothing runs, or no log of that name is there
    """
    root = _root(directory)
    files = _files(root)
    chosen = {label: path for label, path in files.items() if name is None or name in label}
    if not chosen:
        raise Failure(f"no log of `{name}` below {root}", hint=f"there are: {', '.join(sorted(files)) or 'none yet'}")
    width = max(len(label) for label in chosen)
    positions = {}
    since = None if since_s is None else time.time() - since_s
    wanted = {label: Wanted(level, since) for label in chosen}
    for label, path in sorted(chosen.items()):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in deque((line for line in file if wanted[label].takes(line)), maxlen=lines):
                sys.stdout.write(f"{label:<{width}} {line.rstrip()}\n")
            positions[label] = file.tell()
    sys.stdout.flush()
    stop = threading.Event()
    while follow:
        for label, line in _added(chosen, positions):
            if wanted[label].takes(line):
                sys.stdout.write(f"{label:<{width}} {line}\n")
        sys.stdout.flush()
        stop.wait(_PERIOD_S)
    return 0


def _root(directory: Path | None) -> Path:
    if directory is not None:
        return directory / STATE_FOLDER
    instances = find_instances()
    if not instances:
        raise Failure("nothing runs here", hint="name the application's folder: vedette logs --dir DIR")
    return Path(instances[-1].root)


def _files(root: Path) -> dict[str, Path]:
    """Return label -> file: component logs, each application's console and own log files."""
    files = {path.stem: path for path in (root / "logs").glob("*.log")}
    for work in (root / "work").glob("vedette.app.*"):
        instance = work.name.removeprefix("vedette.app.")
        console = work / "logs" / "console_output"
        if console.is_file():
            files[f"{instance}/console"] = console
        for path in (work / "logs" / "application").glob("*"):
            # The folder is the application's: a link there may lead to anything of whoever reads.
            if stat.S_ISREG(path.lstat().st_mode):
                files[f"{instance}/{path.name}"] = path
    return files


def _added(files: dict[str, Path], positions: dict[str, int]) -> Iterator[tuple[str, str]]:
    for label, path in sorted(files.items()):
        try:
            size = path.stat().st_size
            if size < positions[label]:
                positions[label] = 0  # rotated: what is there now is new
            if size == positions[label]:
                continue
            with path.open(encoding="utf-8", errors="replace") as file:
                file.seek(positions[label])
                for line in file:
                    yield label, line.rstrip()
                positions[label] = file.tell()
        except FileNotFoundError:
            positions[label] = 0
