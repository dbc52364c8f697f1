"""Which version of a component runs, and whether it is another than last time: what a software update leaves behind."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vedette.log_events import OTA_LOG, STREAM, about

__all__ = ["note_version", "say_version", "version_in"]

_log = logging.getLogger(__name__)

_FILE: Final = "version"


def version_in(component: str, paths: Iterable[str]) -> str | None:
    """Return the version that a path of the component's artifacts names: ``.../<component>/<version>/...``."""
    pattern = re.compile(rf"/{re.escape(component)}/(\d[^/:]*)(?:/|:|$)")
    return next((found[1] for path in paths if (found := pattern.search(path))), None)


def note_version(folder: Path, component: str, paths: Iterable[str]) -> None:
    """Log an update: the version that runs now is not the one of last time, which a file in ``folder`` remembers."""
    version = version_in(component, paths)
    if version is None:
        return
    file = folder / _FILE
    try:
        before = file.read_text().strip()[:100] if file.exists() else ""
        if before == version:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(f"{version}\n")
    except (OSError, ValueError):
        return
    say_version(component, before, version)


def say_version(component: str, before: str, version: str) -> None:
    """Log an update, or with an empty ``before`` an installation."""
    words = f"{before} -> {version}" if before else f"{version} was installed"
    _log.info("%s %s", component, words, extra=about(STREAM, OTA_LOG))
