"""Lines of logs: how severe each is, when it was written, and which of them are wanted."""

import re
from dataclasses import dataclass, field
from typing import Final

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.log_text import level_of, time_of

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_DURATION: Final = re.compile(r"(\d+)\s*([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: str) -> float:
    """Return the seconds in ``90s``, ``15m``, ``2h`` or ``3d``.

    :raises Failure: for anything else
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise Failure(f"`{text}` is no length of time", hint="90s, 15m, 2h or 3d", exit_code=EXIT_USAGE)
    return int(found[1]) * _SECONDS[found[2]]


def level_named(text: str) -> str:
    """Return a level as LEVELS has it.

    :raises Failure: for a word that is none
    """
    name = {"WARN": "WARNING"}.get(text.upper(), text.upper())
    if name not in LEVELS:
        raise Failure(f"`{text}` is no level", hint=f"one of {', '.join(LEVELS)}", exit_code=EXIT_USAGE)
    return name


@dataclass
class Wanted:
    """Chooses lines of one log. A line without a level or time, as of a traceback, goes with the one before it."""

    level: str | None = None
    since: float | None = None
    _level: str = field(default="INFO", init=False)
    _time: float | None = field(default=None, init=False)

    def takes(self, text: str) -> bool:
        """Tell whether a line is wanted."""
        self._level = level_of(text) or (self._level if text[:1] in {" ", "\t", ""} or "Traceback" in text else "INFO")
        self._time = time_of(text) or self._time
        if self.level is not None and LEVELS.index(self._level) < LEVELS.index(self.level):
            return False
        return self.since is None or (self._time is not None and self._time >= self.since)
