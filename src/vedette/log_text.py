"""Lines of logs: how severe each is, and when it was written."""

import re
from datetime import datetime, timezone
from typing import Final

_LEVEL: Final = re.compile(r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b")
_TIME: Final = re.compile(r"\b(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z)?")


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
    fraction = float(f"0.{found[2]}") if found[2] else 0.0
    return moment.replace(tzinfo=timezone.utc).timestamp() + fraction
