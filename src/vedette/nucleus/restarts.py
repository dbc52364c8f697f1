"""When a component that failed is started again, and when it is given up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vedette.nucleus.states import ComponentState

PAUSES_S: Final = (0.0, 1.0)
"""Pause before the restart after the first, second, ... error: video must be back in 3 s after each."""
ERROR_RESET_S: Final = 3600.0
"""After how long without an error the count begins anew (AWS's errorResetTime)."""


@dataclass
class ErrorCount:
    """Counts errors by the state they happened in: the third within an hour is one too many."""

    clock: Callable[[], float]
    _errors: dict[ComponentState, tuple[int, float]] = field(default_factory=dict)

    def note(self, state: ComponentState) -> float | None:
        """Count an error in ``state``; return the pause before the next try in seconds, or None to give up."""
        now = self.clock()
        count, last = self._errors.get(state, (0, now))
        count = 1 if now - last >= ERROR_RESET_S else count + 1
        self._errors[state] = (count, now)
        return PAUSES_S[count - 1] if count <= len(PAUSES_S) else None

    def clear(self) -> None:
        """Forget every error: the component reported that it works."""
        self._errors.clear()

    @property
    def total(self) -> int:
        """Number of errors that count now."""
        return sum(count for count, _ in self._errors.values())
