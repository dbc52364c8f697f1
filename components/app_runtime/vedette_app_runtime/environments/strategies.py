"""In which order resolutions are tried: each is proved by the application's imports, the first that passes is taken."""

from dataclasses import dataclass
from typing import Final, Literal

VERSION: Final = 3
"""Part of an environment's key: raise it when the order or the tables change what is chosen."""

DATES: Final = ("2023-06-01", "2024-06-01", "2025-06-01")
"""What the pins of an application say is when it was written, not when its libraries' libraries were chosen. The first
date is the middle of Panorama's life (NumPy 1.24, Python up to 3.11 has wheels), the second the last month before
NumPy 2, with wheels for Python 3.12, the third covers what was written after."""

Relaxation = Literal["none", "needed", "all"]


@dataclass(frozen=True)
class Strategy:
    """One way of resolving requirements."""

    name: str
    """As the operator reads it: "as of 2023-06-01"."""
    date: str | None = None
    """Only releases uploaded before."""
    constrain: bool = True
    """Whether the table of known breaks is applied."""
    build: bool = False
    """Whether libraries without wheels may be built from source, the big ones excepted."""
    relax: Relaxation = "none"
    """Which pins give way: those that cannot be met here, or all (they become lower bounds)."""
    bundled: bool = False
    """Only the wheels that came with the application."""


def strategies(*, bounded: bool, wheels: bool) -> list[Strategy]:
    """Return the strategies in order.

    :param bounded: whether any requirement names a release or an upper limit; without one the application follows
        the newest releases, and a date is only tried when they fail.
    :param wheels: whether the application brought a folder of wheels.
    """
    order = [Strategy("from the application's own wheels", bundled=True)] if wheels else []
    dated = [Strategy(f"as of {date}", date=date) for date in DATES]
    today = [Strategy("as of today, with what is known to break held back"), Strategy("as of today", constrain=False)]
    order += [*dated, *today] if bounded else [*today, *dated]
    built = [Strategy(f"as of {date}, building what has no wheel", date=date, build=True) for date in DATES[:2]]
    latest = Strategy("as of today, building what has no wheel", build=True)
    order += [*built, latest] if bounded else [latest, *built]
    if bounded:
        order += [
            Strategy("as of today, with pins relaxed", relax="needed"),
            Strategy("as of today, with pins relaxed, building what has no wheel", relax="needed", build=True),
            Strategy("as of today, with every pin as a lower bound", relax="all", build=True),
        ]
    return order
