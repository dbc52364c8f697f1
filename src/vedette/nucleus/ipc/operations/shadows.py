"""GetThingShadow, UpdateThingShadow, DeleteThingShadow and ListNamedShadowsForThing."""

import base64
import binascii
import time
import zlib
from collections.abc import Mapping
from typing import Any, Final

from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, integer, text
from vedette.nucleus.ipc.shadow_service import ShadowService

__all__ = ["shadow_operations"]

_PAGE: Final = 25
_LARGEST_PAGE: Final = 100


def shadow_operations(service: ShadowService) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def get(call: Call) -> dict[str, Any]:
        thing, name = _shadow(call)
        return _payload(to_json(service.get(thing, name, principal=call.component)))

    def update(call: Call) -> dict[str, Any]:
        thing, name = _shadow(call)
        document = binary(call.request, "payload")
        return _payload(to_json(service.update(thing, name, document, principal=call.component)))

    def delete(call: Call) -> dict[str, Any]:
        thing, name = _shadow(call)
        service.delete(thing, name, principal=call.component)
        return _payload(b"")

    def names(call: Call) -> dict[str, Any]:
        thing = text(call.request, "thingName")
        found = service.names(thing, principal=call.component)
        size = integer(call.request, "pageSize")
        size = _PAGE if size is None else size
        if not 1 <= size <= _LARGEST_PAGE:
            raise InvalidArgumentsError(f"pageSize argument must be between 1 and {_LARGEST_PAGE}")
        token = text(call.request, "nextToken")
        owner = f"{call.component}|{thing}"
        start = _offset(token, owner) if token else 0
        answer: dict[str, Any] = {"results": found[start : start + size], "timestamp": time.time()}
        if len(answer["results"]) == size:
            answer["nextToken"] = _token(start + size, owner)
        return answer

    return {
        "GetThingShadow": Operation(get),
        "UpdateThingShadow": Operation(update),
        "DeleteThingShadow": Operation(delete),
        "ListNamedShadowsForThing": Operation(names),
    }


def _shadow(call: Call) -> tuple[str | None, str | None]:
    return text(call.request, "thingName"), text(call.request, "shadowName")


def _payload(content: bytes) -> dict[str, Any]:
    return {"payload": base64.b64encode(content).decode()}


def _token(offset: int, owner: str) -> str:
    check = zlib.crc32(f"{offset}|{owner}".encode())
    return base64.b64encode(f"{offset}:{check}".encode()).decode()


def _offset(token: str, owner: str) -> int:
    try:
        offset = int(base64.b64decode(token, validate=True).partition(b":")[0])
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentsError("Invalid nextToken argument") from error
    if offset < 0 or _token(offset, owner) != token:
        raise InvalidArgumentsError("Invalid nextToken argument")
    return offset
