"""Which application has the screen: the one that was started last; when it stops, the one before. No I/O.

As on the appliance. An application that crashes keeps the screen while it is started again: otherwise two that crash in
turn would make it flicker.
"""

import logging

from vedette.health import HealthDocument
from vedette.log_events import OUTPUT, about
from vedette.messages import ApplicationState

logger = logging.getLogger(__name__)

_GONE = (ApplicationState.STOPPED.value,)


class Ownership:
    """Remembers in which order applications came. ``pinned``: the one that has the screen whenever it is there."""

    def __init__(self, pinned: str = "") -> None:
        self._pinned = pinned
        self._order: list[str] = []
        self._owner = ""

    def update(self, document: HealthDocument) -> str:
        """Take in the present; return the instance that has the screen, or an empty text."""
        with_output = {output.instance for output in document.outputs}
        here = {a.instance: a for a in document.applications if a.state not in _GONE}
        self._order = [instance for instance in self._order if instance in here]
        # Seen for the first time at once: the display itself has just been started. Who runs longer came before.
        new = [a for a in here.values() if a.instance in with_output and a.instance not in self._order]
        self._order += [a.instance for a in sorted(new, key=lambda a: (-a.state_age_s, a.instance))]
        if self._pinned:
            owner = self._pinned if self._pinned in here else ""
        else:
            owner = self._order[-1] if self._order else ""
        if owner != self._owner:
            # Both hear of it: who had the screen, and who has it now.
            for instance in filter(None, (self._owner, owner)):
                logger.info(
                    "the screen goes from %s to %s",
                    self._owner or "nobody",
                    owner or "nobody",
                    extra=about(OUTPUT, f"{instance}."),
                )
            self._owner = owner
        return owner
