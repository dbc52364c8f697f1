"""What a persistent nucleus writes of itself: ``<root>/logs/greengrass.log``, named and rotated as AWS's.

Deployments from their beginning to their end with the versions that they change, states of components, refusals.
"""

import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from vedette.nucleus.lines import ComponentLog

__all__ = ["OwnLog"]

_LOGGER: Final = "vedette.nucleus"
_NAME: Final = "greengrass"


class OwnLog(logging.Handler):
    """Keeps the lines of this package's loggers from ``open`` to ``shut``."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the logs."""
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(message)s"))
        self._log = ComponentLog(folder / f"{_NAME}.log")
        self._level_before = logging.NOTSET

    def open(self) -> None:
        """Begin to write."""
        package = logging.getLogger(_LOGGER)
        self._level_before = package.level
        if package.getEffectiveLevel() > logging.INFO:
            package.setLevel(logging.INFO)
        if not logging.getLogger().handlers and logging.lastResort is not None:
            package.addHandler(logging.lastResort)  # with a handler of ours, Python would not use it any more
        package.addHandler(self)

    def shut(self) -> None:
        """Write no more."""
        package = logging.getLogger(_LOGGER)
        if self in package.handlers:
            package.removeHandler(self)
            if logging.lastResort is not None:
                package.removeHandler(logging.lastResort)
            package.setLevel(self._level_before)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, the lines of its traceback as lines of their own."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        source = record.name.removeprefix(f"{_LOGGER}.")
        for line in self.format(record).splitlines():
            self._log.write(record.levelname, f"{source}: {line}", moment)
