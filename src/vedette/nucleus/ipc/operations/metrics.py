"""PutComponentMetric: the Java nucleus takes it from AWS's own components alone.

A component of anybody else is refused, here as there; its metrics go to the topic ``cloudwatch/metric/put``.
"""

from collections.abc import Mapping
from typing import Any

from vedette.nucleus.ipc.authorization import METRICS
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import ServiceError, UnauthorizedError
from vedette.nucleus.ipc.protocol import shape_name

__all__ = ["metric_operations"]


def metric_operations() -> Mapping[str, Operation]:
    """Return the operation by name."""

    def put(call: Call) -> dict[str, Any]:
        if not call.component.startswith("aws."):
            raise UnauthorizedError(
                f"Principal {call.component} is not authorized to perform {METRICS}:{shape_name('PutComponentMetric')} "
            )
        raise ServiceError("the local nucleus has no telemetry to put metrics into")

    return {"PutComponentMetric": Operation(put)}
