"""Processes that must not outlive the one that started them."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process with its parent, however that one dies: a stopped one would see no end of input.

    :param parent: its process id. Without, one that had ended before this call is not missed: then input that has
        ended has to tell.
    :raises SystemExit: with 0, when the parent has ended by now
    """
    if parent is None:
        parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
