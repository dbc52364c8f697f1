"""Hints for names that are not there."""

import difflib
from collections.abc import Iterable
from typing import Final

_MOST: Final = 500
"""More names than this take longer to compare than a hint is worth."""


def did_you_mean(name: str, known: Iterable[str], *, what: str = "") -> str:
    """Return ``did you mean "x"?`` where one is near, else ``<what>: a, b, c`` where ``what`` is given, else ``""``.

    Names that differ only in case, '-' and '_' are nearest.
    """
    names = sorted(set(known))
    folded = {_fold(other): other for other in reversed(names)}
    near = difflib.get_close_matches(_fold(name[:200]), folded if len(folded) <= _MOST else (), n=1, cutoff=0.7)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    if not what:
        return ""
    return f"{what}: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else f"{what}: none"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")
