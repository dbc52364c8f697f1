"""Messages of the event stream RPC protocol as frames ready to send, and the names used in them.

Source: aws-iot-device-sdk-java-v2 ``event-stream-rpc-server`` and captures of a real nucleus.
"""

import json
from enum import IntEnum
from typing import Any, Final

from vedette.nucleus.ipc.errors import IpcRefusal, ModeledError, UnknownOperation
from vedette.nucleus.ipc.eventstream import HeaderValue, Message, encode

__all__ = [
    "ACCEPTED",
    "FLAGS",
    "MESSAGE_TYPE",
    "OPERATION",
    "PREFIX",
    "STREAM_ID",
    "TERMINATE",
    "VERSION",
    "MessageType",
    "connect_ack",
    "error",
    "event",
    "lite_error",
    "ping_response",
    "response",
    "shape_name",
    "to_json",
]

MESSAGE_TYPE: Final = ":message-type"
FLAGS: Final = ":message-flags"
STREAM_ID: Final = ":stream-id"
VERSION: Final = ":version"
CONTENT_TYPE: Final = ":content-type"
SHAPE: Final = "service-model-type"
OPERATION: Final = "operation"
PREFIX: Final = "aws.greengrass#"
ACCEPTED: Final = 1
TERMINATE: Final = 2
_JSON: Final = "application/json"


class MessageType(IntEnum):
    """``:message-type``."""

    APPLICATION_MESSAGE = 0
    APPLICATION_ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5
    PROTOCOL_ERROR = 6
    INTERNAL_ERROR = 7


def shape_name(name: str) -> str:
    """Return a shape's or operation's full name."""
    return PREFIX + name


def to_json(document: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _frame(kind: MessageType, flags: int, stream_id: int, payload: bytes = b"", **extra: HeaderValue) -> bytes:
    headers: dict[str, HeaderValue] = {MESSAGE_TYPE: int(kind), FLAGS: flags, STREAM_ID: stream_id}
    return encode(Message(headers | extra, payload))


def connect_ack(*, accepted: bool) -> bytes:
    """Return the answer to CONNECT; without the flag the client raises AccessDeniedError."""
    return _frame(MessageType.CONNECT_ACK, ACCEPTED if accepted else 0, 0)


def ping_response(ping: Message) -> bytes:
    """Return the answer to a PING: its payload and those of its headers that are not the protocol's own."""
    own = {name: value for name, value in ping.headers.items() if not name.startswith(":")}
    return _frame(MessageType.PING_RESPONSE, 0, 0, ping.payload, **own)


def response(stream_id: int, shape: str, payload: bytes, *, last: bool) -> bytes:
    """Return an operation's response.

    ``last`` for every operation without events: without TERMINATE_STREAM SDK clients leak 5.5 kB a call.
    """
    extra: dict[str, HeaderValue] = {CONTENT_TYPE: _JSON, SHAPE: shape_name(shape)}
    return _frame(MessageType.APPLICATION_MESSAGE, TERMINATE if last else 0, stream_id, payload, **extra)


def event(stream_id: int, shape: str, payload: bytes) -> bytes:
    """Return an event of a stream."""
    return response(stream_id, shape, payload, last=False)


def lite_error(stream_id: int, refusal: IpcRefusal) -> bytes:
    """Return the error frame as nucleus lite sends it: without ``message``, so SDK clients see None."""
    code, words = (refusal.code, refusal.message) if isinstance(refusal, ModeledError) else ("ServiceError", "")
    extra: dict[str, HeaderValue] = {CONTENT_TYPE: _JSON, SHAPE: shape_name(code)}
    payload = to_json({"_message": words, "_errorCode": code})
    return _frame(MessageType.APPLICATION_ERROR, TERMINATE, stream_id, payload, **extra)


def error(stream_id: int, refusal: IpcRefusal) -> bytes:
    """Return the error frame that ends the stream, as the Java nucleus words it."""
    extra: dict[str, HeaderValue] = {CONTENT_TYPE: _JSON}
    if isinstance(refusal, ModeledError):
        extra[SHAPE] = shape_name(refusal.code)
        payload = to_json(refusal.body())
    elif isinstance(refusal, UnknownOperation):
        payload = to_json({"error": "Unsupported Operation", "message": str(refusal)})
    else:
        extra[CONTENT_TYPE] = "text/plain"
        payload = b"InternalServerError"
    return _frame(MessageType.APPLICATION_ERROR, TERMINATE, stream_id, payload, **extra)
