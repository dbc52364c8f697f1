"""One way of logging for every component: one line an event, on standard output, without secrets.

The nucleus captures standard output into ``<root>/logs/<component>.log``; it adds time and component itself, but not
the level, so a line begins with the level and the logger.
"""

import logging
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from vedette.log_events import EventFile, events_path
from vedette.plain_files import plain_files
from vedette.redaction import redact

FOLDER: Final = "logs"
"""Of a component's log files, in its work folder."""
_OLD_S: Final = 7 * 86400.0


class RedactingFormatter(logging.Formatter):
    """Formats one line an event: ``2026-11-23T09:41:12.345Z INFO camera_ingest.worker message``; no credentials."""

    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Format the record and take out what looks like credentials in a URL, tracebacks included."""
        return redact(super().format(record))


def configure(level: str = "INFO") -> None:
    """Send the root logger to standard output at ``level``; called once, at the start of a component's process."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(RedactingFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The SDK tells of every connection at INFO; the bus does so itself where it matters.
    logging.getLogger("awsiot").setLevel(logging.WARNING)


class _RedactingMessage(logging.Formatter):
    """The message and its traceback alone, without credentials."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def keep(folder: Path, *, process: str = "", about: str = "") -> None:
    """Keep what this process logs in ``folder`` too, as events; without the folder, only what is printed.

    :param process: which of the component's processes this is; empty: the main one
    :param about: what its events are about, as ``camera:<id>``; empty: each says so itself, or nothing
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not process:
            _remove_old(folder)
    except OSError as error:
        logging.getLogger(__name__).warning("events are not kept in %s: %s", folder, error.strerror)
        return
    handler = EventFile(events_path(folder, process).absolute(), always_about=about)
    handler.setFormatter(_RedactingMessage("%(message)s"))
    logging.getLogger().addHandler(handler)


def _remove_old(folder: Path) -> None:
    """Remove the events of processes that have not been there for long, as of a camera that was taken away."""
    for name, status in plain_files(folder):
        if fnmatch(name, "events.*.jsonl*") and time.time() - status.st_mtime > _OLD_S:
            (folder / name).unlink(missing_ok=True)
