"""Where environments and results are kept: the user's cache. Everything there may be deleted at any time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/vedette``, by default ``~/.cache/vedette``."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(cache) / "vedette"
