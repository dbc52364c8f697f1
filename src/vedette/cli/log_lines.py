"""Lines of logs: how severe each is, when it was written, and which of them are wanted."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final

from vedette.cli.failure import EXIT_USAGE, Failure

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LEVEL: Final = re.compile(r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b")
_TIME: Final = re.compile(r"\b(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z)?")
_DURATION: Final = re.compile(r"(\d+)\s*([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def level_of(text: str) -> str | None:
    """Return the level that a line names in its first 200 characters, None when it names none."""
    found = list(_LEVEL.finditer(text[:200]))
    if not found:
        return None
    # The nucleus writes [INFO] before everything that a component prints: the component's own level comes after it.
    by_nucleus = text[: found[0].start()].endswith("[")
    word = found[1][1] if by_nucleus and len(found) > 1 else found[0][1]
    return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(word, word)


def time_of(text: str) -> float | None:
    """Return the Unix time that a line begins with, None for one without."""
    found = _TIME.search(text[:60])
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found[1].replace(" ", "T"))
    except ValueError:
        return None
    # Components write UTC; what an application writes without a zone is its own time, which is UTC in the sandbox too.
    return moment.replace(tzinfo=timezone.utc).timestamp()


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
