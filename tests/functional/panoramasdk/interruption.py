"""Exceptions of signal handlers, raised at every place where they can come."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class Alarm(Exception):
    """What an application's signal handler raises."""


def interrupted_at(place: int, deed: Callable[[], object]) -> bool:
    """Do it, but raise Alarm at the ``place``-th place where the interpreter runs handlers in the SDK; tell whether.

    Such places are the beginning of a function and the return from one of C's.
    """
    left = place

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if event in ("call", "c_return") and "/panoramasdk/" in frame.f_code.co_filename:
            left -= 1
            if left == 0:
                raise Alarm

    sys.setprofile(look)
    try:
        deed()
    except Alarm:
        return True
    finally:
        sys.setprofile(None)
    return False
