"""ValidateAuthorizationToken: the stream manager asks whom a token belongs to; nobody else may.

Source: the Java nucleus's ``AuthorizationIPCAgent.java``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidTokenError, UnauthorizedError
from vedette.nucleus.ipc.requests import text

__all__ = ["authorization_operations"]

_STREAM_MANAGER: Final = "aws.greengrass.StreamManager"


def authorization_operations(owner: Callable[[str], str | None]) -> Mapping[str, Operation]:
    """Return the operations by name; ``owner`` returns the component a token belongs to, None for nobody's."""

    def validate(call: Call) -> dict[str, Any]:
        if call.component != _STREAM_MANAGER:
            raise UnauthorizedError(
                f"{call.component} is not authorized to perform aws.greengrass#ValidateAuthorizationToken"
            )
        if owner(text(call.request, "token") or "") is None:
            raise InvalidTokenError("Authentication token not found")
        return {"isValid": True}

    return {"ValidateAuthorizationToken": Operation(validate)}
