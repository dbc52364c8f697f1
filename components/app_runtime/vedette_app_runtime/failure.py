"""Why an application ended, in one sentence, out of its exit code and what it printed and logged last."""

import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from vedette.redaction import redact

_TRACEBACK: Final = "Traceback (most recent call last):"
_FRAME: Final = re.compile(r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)')
_MAX_CHARACTERS: Final = 400
_NEAR_THE_END: Final = 80
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_HINTS: Final = {signal.SIGKILL: ", as the kernel does when memory runs out"}


def describe_exit(exit_code: int, console: Sequence[str], logs: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return ``KeyError: 'model_node' at application.py:88, exit 1`` or what can be said instead.

    :param exit_code: as subprocess gives it (negative for a signal), or a shell's and bubblewrap's 128 + signal.
    :param console: the last lines of the application's console, oldest first.
    :param logs: those of its own log files, by name, the newest file first.
    """
    return redact(_plain(_described(exit_code, console, logs or {})))


def _plain(text: str) -> str:
    """Return ``text`` without what commands terminals or ends lines: it is the application's own."""
    return "".join(each if each.isprintable() else " " for each in _COLOURS.sub("", text))


def _described(exit_code: int, console: Sequence[str], logs: Mapping[str, Sequence[str]]) -> str:
    ending = _ending(exit_code)
    exception = _last_exception(console)
    # A signal's victim had no time to log.
    logged = _logged_exception(logs) if 0 <= exit_code <= 128 else None
    if exception is not None:
        # One caught and logged comes before one in the clean-up after it: the former is the cause.
        before = "" if logged is None or logged[0] == exception else f"; its {logged[1]} has {logged[0]}"
        return f"{exception}, {ending}{before}"
    if logged is not None:
        return f"{logged[0]} (says its {logged[1]}), {ending}"
    last = _last_line(console)
    if exit_code != 0:
        return f"{last}, {ending}" if last else f"ended without a word, {ending}"
    for name, lines in logs.items():
        return f"ended by itself without an error, exit 0; the last line of its {name}: {_last_line(lines)}"
    return "ended by itself without an error, exit 0"


def _logged_exception(logs: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """Return the last exception near the end of a log, and the log's name; one far above the end was survived."""
    for name, lines in logs.items():
        exception = _last_exception(lines[-_NEAR_THE_END:])
        if exception is not None:
            return exception, name
    return None


def _last_line(lines: Sequence[str]) -> str:
    return next((line.strip()[:_MAX_CHARACTERS] for line in reversed(lines) if line.strip()), "")


def _ending(exit_code: int) -> str:
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number > 0:
        try:
            ended_by = signal.Signals(number)
        except ValueError:
            return f"exit {exit_code}"
        return f"killed by {ended_by.name}{_HINTS.get(ended_by, '')}"
    return f"exit {exit_code}"


def _last_exception(console: Sequence[str]) -> str | None:
    """Return the last traceback's exception and place, or None when there is no traceback."""
    start = next((i for i in range(len(console) - 1, -1, -1) if console[i].strip().endswith(_TRACEBACK)), None)
    if start is None:
        return _syntax_error(console)
    indent = len(console[start]) - len(console[start].lstrip())
    place: str | None = None
    inside: str | None = None
    for line in console[start + 1 :]:
        frame = _FRAME.match(line)
        if frame is not None:
            place = f"{PurePosixPath(frame['path']).name}:{frame['line']}"
            if _is_application(frame["path"]):
                inside = place
        elif line.strip() and len(line) - len(line.lstrip()) <= indent:
            message = line.strip()[:_MAX_CHARACTERS]
            where = inside or place
            return f"{message} at {where}" if where else message
    return None


def _is_application(path: str) -> bool:
    """Tell a frame of the application's own code from one of a library: the former is what its author can mend."""
    libraries = ("/site-packages/", "/dist-packages/", "/opt/vedette/", "/lib/python", "/panoramasdk/", "<frozen")
    return not any(part in path for part in libraries)


def _syntax_error(console: Sequence[str]) -> str | None:
    """Return a syntax error of the first file, which Python reports without the word traceback."""
    for index in range(len(console) - 1, -1, -1):
        if re.match(r"(Syntax|Indentation|Tab)Error: ", console[index]):
            for line in reversed(console[:index]):
                frame = _FRAME.match(line)
                if frame is not None:
                    return f"{console[index].strip()} at {PurePosixPath(frame['path']).name}:{frame['line']}"
    return None
