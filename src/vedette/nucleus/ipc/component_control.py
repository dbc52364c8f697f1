"""What the operations on components need of the nucleus."""

from collections.abc import Sequence
from typing import Protocol

from vedette.nucleus.view import ComponentView

__all__ = ["ComponentControl"]


class ComponentControl(Protocol):
    """Looks at components and tells them what to do, on the event loop's thread; ``Supervisor`` is one.

    The methods raise LookupError for a component that is not there.
    """

    def views(self) -> Sequence[ComponentView]:
        """Return every component in start order."""

    def restart_component(self, name: str) -> bool:
        """Begin to restart a component; False when it cannot be restarted."""

    def stop_component(self, name: str) -> None:
        """Begin to stop a component; it stays so until it is restarted or deployed again."""

    async def pause_component(self, name: str) -> None:
        """Halt every process of a component; LifecycleError says why it cannot be."""

    async def resume_component(self, name: str) -> None:
        """Let the processes of a component go on; LifecycleError says why they cannot."""
