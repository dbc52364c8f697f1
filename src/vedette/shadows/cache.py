"""The last known ``desired`` of a shadow in a file: for a start without a connection."""

import json
import logging
from pathlib import Path
from typing import Any

from vedette.whole_files import PRIVATE, write_whole

logger = logging.getLogger(__name__)


def load_desired(path: Path) -> dict[str, Any] | None:
    """Return what was stored; None when nothing was, or it cannot be read."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("the last known settings cannot be read from %s: %s", path, type(error).__name__)
        return None
    return document if isinstance(document, dict) else None


def store_desired(path: Path, desired: object) -> None:
    """Write it whole or not at all, for this user alone; a disk that is full costs the copy, nothing else."""
    data = json.dumps(desired if isinstance(desired, dict) else {}).encode()
    try:
        if path.exists() and path.read_bytes() == data:
            return
        write_whole(path, data, mode=PRIVATE, synced=True)
    except OSError as error:
        logger.warning("the settings cannot be kept in %s: %s", path, error.strerror)
