"""A component as others see it, and what a wait for components has come to."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vedette.nucleus.states import READY, ComponentState


@dataclass(frozen=True)
class ComponentView:
    """A component as others see it. ``since``: Unix time of the last change of state, s."""

    name: str
    version: str
    state: ComponentState
    pid: int | None = None
    restarts: int = 0
    since: float = 0.0
    detail: str = ""
    paused: bool = False

    def document(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**asdict(self), "state": self.state.value}


@dataclass(frozen=True)
class Outlook:
    """What keeps components from being up: those that are not yet, and those that never will be."""

    waiting: Mapping[str, ComponentView | None]
    broken: Mapping[str, ComponentView | None]

    @classmethod
    def of(cls, views: Iterable[ComponentView], names: Iterable[str] | None) -> "Outlook":
        """Judge the components ``names``, or all of ``views`` if it is None."""
        known = {view.name: view for view in views}
        wanted = {name: known.get(name) for name in (known if names is None else names)}
        waiting = {name: view for name, view in wanted.items() if view is None or view.state not in READY}
        broken = {
            name: view for name, view in waiting.items() if view is not None and view.state is ComponentState.BROKEN
        }
        return cls(waiting, broken)

    def findings(self, timeout_s: float) -> list[str]:
        """Return one sentence for each component that broke or, if none did, for each that is late."""
        return [_finding(name, view, timeout_s) for name, view in sorted((self.broken or self.waiting).items())]


def _finding(name: str, view: ComponentView | None, timeout_s: float) -> str:
    if view is None:
        return f"{name} is not deployed"
    reason = f": {view.detail}" if view.detail else ""
    if view.state is ComponentState.BROKEN:
        return f"{name} is BROKEN{reason}"
    return f"{name} is still {view.state.value} after {timeout_s:g} s{reason}"
