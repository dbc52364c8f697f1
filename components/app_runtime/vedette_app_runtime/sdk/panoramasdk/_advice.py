"""What the SDK tells an application's developer: once a process, by ``logging``, as the logger ``panoramasdk``.

It goes where the application's own log goes. Where logging was never set up, Python writes warnings to standard error,
which is the application's console.
"""

import threading
from typing import Set

_told: Set[str] = set()
_lock = threading.Lock()


def advise(topic: str, text: str) -> None:
    """Log ``text`` as a warning, unless one of this topic was logged before."""
    with _lock:
        if topic in _told:
            return
        _told.add(topic)
    import logging  # an application without a log of its own need not load it

    logging.getLogger("panoramasdk").warning("%s", text)
