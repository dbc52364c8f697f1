"""Which bootstrap steps are done: each runs once for a version, not at every start of the nucleus."""

import json
import logging
from pathlib import Path

from vedette.nucleus.plan import ComponentPlan
from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)


class Bootstrapped:
    """Remembers, in a file where one is given, for which version and script a component was bootstrapped.

    Belongs to the event loop's thread. A file that cannot be read counts as empty: a step runs once more then.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._done: dict[str, str] = {}
        if path is not None:
            try:
                document = json.loads(path.read_bytes())
                self._done = {str(name): str(key) for name, key in document.items()}
            except FileNotFoundError:
                pass
            except (OSError, ValueError, AttributeError) as error:
                logger.warning("%s cannot be read (%s): bootstrap steps run again", path, type(error).__name__)

    def covers(self, plan: ComponentPlan) -> bool:
        """Tell whether the component's bootstrap step, as it is now, was carried out."""
        return self._done.get(plan.name) == plan.bootstrap_key

    def note(self, plan: ComponentPlan) -> None:
        """Take note that the component's bootstrap step was carried out."""
        self._done[plan.name] = plan.bootstrap_key
        self._write()

    def forget(self, name: str) -> None:
        """Forget a component that was removed."""
        if self._done.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._path, json.dumps(self._done).encode())
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error.strerror)
