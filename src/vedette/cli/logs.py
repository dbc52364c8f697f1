"""``vedette logs``: what components and applications of a running instance wrote."""

import contextlib
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.application.log_streams import LogStreams, places
from vedette.cli.failure import Failure
from vedette.cli.log_lines import Wanted
from vedette.cli.session import STATE_FOLDER
from vedette.log_events import Event
from vedette.nucleus.instances import find_instances
from vedette.plain_files import open_plain, plain_files

_PERIOD_S: Final = 0.3
_APPLICATION: Final = "vedette.app."
_SEQUENCES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, clipboards, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # strings for the terminal
    r"|\x1b\[[0-?]*[ -/]*[@-ln-~]"  # CSI, but colours
    r"|\x1b(?![\[\]PX^_])[ -/]*[0-~]?"
    r"|\x1b(?!\[[0-9;]*m)"
)
"""What terminals take for orders (ECMA-48)."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_OF_NODES: Final = ("vedette.CameraIngest", "vedette.ModelInference", "vedette.Display")
"""Components whose events are about nodes of applications."""


@dataclass(frozen=True)
class Log:
    """A log: what it is called, the file that it is in, and which of its lines belong to it."""

    label: str
    path: Path
    lines_of: Callable[[str], list[str]]


def show_logs(
    name: str | None,
    root: Path,
    *,
    lines: int,
    follow: bool,
    level: str | None = None,
    since_s: float | None = None,
) -> int:
    """Print the newest lines of every log that fits ``name``, then what is added, until Ctrl-C.

    :param root: root folder of the nucleus
    :raises Failure: when no log of that name is there
    """
    logs = find_logs(root)
    chosen = [log for log in logs if name is None or name in log.label]
    if not chosen:
        known = ", ".join(sorted({log.label for log in logs})) or "none yet"
        raise Failure(f"no log of `{name}` below {root}", hint=f"there are: {known}")
    width = max(len(log.label) for log in chosen)
    positions: dict[Log, int] = {}
    since = None if since_s is None else time.time() - since_s
    wanted = {log: Wanted(level, since) for log in chosen}
    for log in chosen:
        newest: deque[str] = deque(maxlen=lines)
        for text in _texts(log, positions, whole=follow):
            if wanted[log].takes(text):
                newest.append(text)
        for text in newest:
            sys.stdout.write(f"{log.label:<{width}} {harmless(text)}\n")
    sys.stdout.flush()
    stop = threading.Event()
    while follow:
        for log in chosen:
            for text in _texts(log, positions, whole=True):
                if wanted[log].takes(text):
                    sys.stdout.write(f"{log.label:<{width}} {harmless(text)}\n")
        sys.stdout.flush()
        stop.wait(_PERIOD_S)
    return 0


def logs_root(directory: Path | None, root: Path | None) -> Path:
    """Return the root folder of the nucleus whose logs are meant.

    :raises Failure: when nothing is named and nothing runs
    """
    if root is not None:
        return root
    if directory is not None:
        return directory / STATE_FOLDER
    instances = find_instances()
    if not instances:
        raise Failure("nothing runs here", hint="name the application's folder: vedette logs --dir DIR")
    return Path(instances[-1].root)


def find_logs(root: Path) -> list[Log]:
    """Return component logs, each application's console and own log files, and what is about its nodes."""
    found = [Log(path.stem, path, _line) for path in (root / "logs").glob("*.log")]
    for work in (root / "work").glob(f"{_APPLICATION}*"):
        instance = work.name.removeprefix(_APPLICATION)
        console = work / "logs" / "console_output"
        if console.is_file():
            found.append(Log(f"{instance}/console", console, _line))
        # The folder is the application's: a link there may lead to anything of whoever reads.
        own = work / "logs" / "application"
        with contextlib.suppress(OSError):  # it has written none
            found += [Log(f"{instance}/{name}", own / name, _line) for name, _ in plain_files(own)]
        found += _of_nodes(root, work.name, LogStreams.read(work / "logs", work.name))
    return sorted(found, key=lambda log: (log.label, str(log.path)))


def _of_nodes(root: Path, component: str, streams: LogStreams) -> Iterator[Log]:
    nodes = {node for named in (streams.cameras, streams.models) for nodes in named.values() for node in nodes}
    for source in _OF_NODES:
        for path in sorted((root / "work" / source / "logs").glob("events*.jsonl")):
            for node in sorted(nodes | set(streams.outputs.values())):
                log = Log(f"{streams.instance}/{node}", path, _about(source, component, streams, node))
                if any(_texts(log, {}, whole=True)):
                    yield log


def _about(source: str, component: str, streams: LogStreams, node: str) -> Callable[[str], list[str]]:
    instances = {component: streams}

    def lines_of(line: str) -> list[str]:
        try:
            event = Event.decode(line)
        except ValueError:
            return []
        where, text = places(source, event, instances)
        return text.splitlines() if any(each == (streams.instance, node) for each in where) else []

    return lines_of


def harmless(text: str) -> str:
    """Return a line as a terminal may have it: colours stay, what moves the cursor or talks to the terminal goes."""
    kept = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SEQUENCES.sub("", text.replace("\r", " ")))
    return f"{kept}\x1b[0m" if "\x1b" in kept else kept


def _line(line: str) -> list[str]:
    return line.rstrip().split("\r")


def _texts(log: Log, positions: dict[Log, int], *, whole: bool) -> Iterator[str]:
    """Yield what stands in the file behind its position, which goes along.

    :param whole: a last line without an end is left for the next time: whoever writes it is in the midst of it
    """
    position = positions.get(log, 0)
    try:
        with open_plain(log.path) as file:
            if os.fstat(file.fileno()).st_size < position:
                position = 0  # turned over: what is there now is new
            file.seek(position)
            for line in file:
                if whole and not line.endswith(b"\n"):
                    break
                position += len(line)
                yield from log.lines_of(line.decode(errors="replace"))
    except OSError:  # removed, or no file any more
        position = 0
    positions[log] = position
