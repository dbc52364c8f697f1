"""UpdateState: a component says how it is."""

from collections.abc import Callable, Mapping
from typing import Any

from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import ResourceNotFoundError, ServiceError
from vedette.nucleus.ipc.requests import text

__all__ = ["StateReport", "lifecycle_operations"]

StateReport = Callable[[str, str], None]
"""``on_state(component, "RUNNING" | "ERRORED")``; LookupError for a component that is not known."""


def lifecycle_operations(on_state: StateReport) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def update(call: Call) -> dict[str, Any]:
        state = text(call.request, "state")
        if state not in {"RUNNING", "ERRORED"}:
            raise ServiceError("")
        try:
            on_state(call.component, state)
        except LookupError as error:
            raise ResourceNotFoundError(
                "Component with given name not found", resourceType="Component", resourceName=call.component
            ) from error
        return {}

    return {"UpdateState": Operation(update)}
