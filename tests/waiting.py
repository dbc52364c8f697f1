"""Waiting for what other processes do."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_pause = threading.Event()


def eventually(look: Callable[[], T | None], what: str, *, within_s: float = 40.0, every_s: float = 0.1) -> T:
    """Return the first true answer of ``look``; fail with ``what`` was expected when none comes in time."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:g} s: {what}; at last: {found!r}")
        _pause.wait(every_s)
    return found


def wait(seconds: float) -> None:
    """Let the suite run on for a while, where a test counts what happens in it."""
    _pause.wait(seconds)
