"""The system's own log, where it has a journal: the appliance's streams syslog and kern_log.

``journalctl`` reads it; the user of components must be in the group systemd-journal.
"""

import json
import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vedette.application.log_streams import KERN_LOG, OCC_LOG, SYSLOG, Where
from vedette.redaction import redact
from vedette_device_monitor.logs.packing import LogEvent

logger = logging.getLogger(__name__)

EVERY_S: Final = 15.0
"""Starting journalctl costs 10 ms of the processor."""
MOST_LINES: Final = 2000
_TIMEOUT_S: Final = 10.0
_FIELDS: Final = "MESSAGE,PRIORITY,_TRANSPORT,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,__REALTIME_TIMESTAMP"
_OURS: Final = "ggl.vedette."
_NUCLEUS: Final = ("ggl.", "greengrass")
_LEVELS: Final = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")
_MOST_TEXT: Final = 16_384


@dataclass
class JournalPart:
    """Entries that have been read. ``cursor``: behind the last of them."""

    cursor: str
    parts: dict[Where, list[LogEvent]]
    begun: bool = False


Read = Callable[[Sequence[str]], bytes]


class Journal:
    """Reads on from a cursor."""

    def __init__(self, *, read: Read | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``read``: runs journalctl and returns the first lines that it prints."""
        self._read = read or run_journalctl
        self._clock = clock
        self._next_at = 0.0
        self._held: JournalPart | None = None
        self._said = ""

    def take(self, cursor: str) -> JournalPart | None:
        """Return the entries behind a cursor, None where there are none or it is too early to look.

        Entries that could not all be sent are returned again. Without a cursor it begins now.
        """
        if self._held is not None and self._held.cursor != cursor:
            return self._held
        self._held = None
        if self._clock() < self._next_at:
            return None
        self._next_at = self._clock() + EVERY_S
        where = ["--lines=1"] if not cursor else [f"--after-cursor={cursor}"]
        command = ["journalctl", "--no-pager", "--quiet", "--output=json", f"--output-fields={_FIELDS}", *where]
        try:
            data = self._read(command)
        except OSError as error:
            self._say(str(error))
            return None
        self._held = parsed(data)
        return self._held

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            logger.warning("the system's log is not sent: %s", text)


def run_journalctl(command: Sequence[str]) -> bytes:
    """Return the first lines that journalctl prints.

    :raises OSError: when it cannot be run, or says that it may not read
    """
    if shutil.which(command[0]) is None:
        raise OSError("this system has no journalctl")
    # Older ones cannot tell the oldest lines only; head ends them.
    bounded = ["sh", "-c", f'"$@" | head -n {MOST_LINES}', "sh", *command]
    try:
        done = subprocess.run(bounded, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise OSError("journalctl does not answer") from None
    said = done.stderr.decode(errors="replace").strip()
    if said and not done.stdout:
        raise OSError(f"journalctl: {said[:200]}; is the user of components in the group systemd-journal?")
    return done.stdout


def parsed(data: bytes) -> JournalPart | None:
    """Return what journalctl has printed, sorted into streams; None where there is no entry."""
    parts: dict[Where, list[LogEvent]] = {}
    cursor = ""
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
            cursor = str(entry["__CURSOR"])
            moment = int(entry["__REALTIME_TIMESTAMP"]) // 1000
        except (ValueError, KeyError, TypeError):
            continue
        stream = _stream_of(entry)
        text = _text_of(entry)
        if stream and text:
            parts.setdefault(Where("", stream), []).append(LogEvent(moment, text))
    return JournalPart(cursor, parts) if cursor else None


def _stream_of(entry: Mapping[str, Any]) -> str:
    unit = str(entry.get("_SYSTEMD_UNIT", ""))
    if unit.startswith(_OURS):
        return ""  # components keep their events themselves
    if entry.get("_TRANSPORT") == "kernel":
        return KERN_LOG
    return OCC_LOG if unit.startswith(_NUCLEUS) else SYSLOG


def _text_of(entry: Mapping[str, Any]) -> str:
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        # Bytes that are no text.
        message = bytes(each for each in message if isinstance(each, int) and 0 <= each < 256).decode(errors="replace")
    if not isinstance(message, str) or not message.strip():
        return ""
    priority = str(entry.get("PRIORITY", "6"))
    level = _LEVELS[int(priority)] if priority.isdigit() and int(priority) < len(_LEVELS) else "INFO"
    who = entry.get("SYSLOG_IDENTIFIER") or entry.get("_SYSTEMD_UNIT") or entry.get("_TRANSPORT") or "?"
    return redact(f"{level} {who}: {message}"[:_MOST_TEXT].replace("\0", ""))
