"""The operations that nucleus lite has, with its limits and its words.

Everything else is answered with a ServiceError without words, as there. Source: aws-greengrass-lite 2.6.0
``modules/ggipcd/src/services``; the limits on structured JSON are measured.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from vedette.nucleus.ipc.authorization import CLI, PUBSUB, Authorizer
from vedette.nucleus.ipc.broker import Broker, Delivery
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import (
    FailedUpdateConditionCheckError,
    InvalidArgumentsError,
    IpcRefusal,
    ModeledError,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
)
from vedette.nucleus.ipc.operations.pubsub import event_of
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, mapping, text

__all__ = ["lite_operations", "too_many_parts"]

MAX_TOPIC_BYTES: Final = 256
MAX_SUBSCRIPTIONS: Final = 99
MAX_LIST_ITEMS: Final = 42
MAX_KEYS: Final = 23
MAX_DEPTH: Final = 12
_INVALID: Final = "Received invalid parameters."
_DENIED: Final = "IPC Operation not authorized."
_PLAIN: Final = ("GetConfiguration", "UpdateConfiguration", "SubscribeToConfigurationUpdate", "UpdateState")
_MISSING: Final = {
    "GetConfiguration": "Key not found.",
    "SubscribeToConfigurationUpdate": "Key not found",
    "RestartComponent": "Component not found.",
}


def too_many_parts(document: Any) -> bool:
    """Tell whether a structured message has more parts than nucleus lite can hand on (it loses it in silence)."""
    items, keys, depth = _parts(document)
    # Items and keys share one memory; each limit was measured with the other kind absent.
    return items / MAX_LIST_ITEMS + keys / MAX_KEYS > 1 or depth > MAX_DEPTH


def _parts(document: Any) -> tuple[int, int, int]:
    if isinstance(document, dict):
        below = [_parts(value) for value in document.values()]
        keys = len(document)
        items = 0
    elif isinstance(document, list):
        below = [_parts(value) for value in document]
        keys, items = 0, len(document)
    else:
        return 0, 0, 0
    return (
        items + sum(part[0] for part in below),
        keys + sum(part[1] for part in below),
        1 + max((part[2] for part in below), default=0),
    )


def lite_operations(java: Mapping[str, Operation], broker: Broker, authorizer: Authorizer) -> dict[str, Operation]:
    """Return nucleus lite's operations by name; ``java``: those of the Java nucleus that are here."""
    served = {
        "PublishToTopic": Operation(_publish(broker, authorizer)),
        "SubscribeToTopic": Operation(_subscribe(broker, authorizer), event_shape="SubscriptionResponseMessage"),
    }
    for name in (*_PLAIN, "PublishToIoTCore", "SubscribeToIoTCore", "RestartComponent", "CreateLocalDeployment"):
        if name in java:
            operation = java[name]
            served[name] = Operation(_reworded(name, operation.handle, authorizer), event_shape=operation.event_shape)
    return served


def _publish(broker: Broker, authorizer: Authorizer) -> Callable[[Call], dict[str, Any]]:
    def publish(call: Call) -> dict[str, Any]:
        try:
            topic = text(call.request, "topic")
            message = mapping(call.request, "publishMessage")
            if topic is None or message is None:
                raise ServiceError(_INVALID)
            as_json, as_binary = mapping(message, "jsonMessage"), mapping(message, "binaryMessage")
            if (as_json is None) == (as_binary is None) or "message" not in (as_json or as_binary or {}):
                raise ServiceError(_INVALID)
            payload = None if as_binary is None else binary(as_binary, "message")
        except IpcRefusal as refusal:
            raise ServiceError(_INVALID) from refusal
        _authorize(authorizer, call.component, "PublishToTopic", topic)
        if len(topic.encode()) > MAX_TOPIC_BYTES:
            raise ServiceError("Failed to publish the message.")
        if as_json is None:
            broker.publish(topic, payload or b"", call.component)
        elif not too_many_parts(as_json["message"]):
            document = as_json["message"]
            broker.publish(topic, to_json(document), call.component, document, is_json=True)
        return {}

    return publish


def _subscribe(broker: Broker, authorizer: Authorizer) -> Callable[[Call], dict[str, Any]]:
    subscriptions = 0

    def subscribe(call: Call) -> dict[str, Any]:
        nonlocal subscriptions
        try:
            topic = text(call.request, "topic")
        except IpcRefusal as refusal:
            raise ServiceError(_INVALID) from refusal
        if topic is None:
            raise ServiceError(_INVALID)
        _authorize(authorizer, call.component, "SubscribeToTopic", topic)
        if not 0 < len(topic.encode()) <= MAX_TOPIC_BYTES or subscriptions >= MAX_SUBSCRIPTIONS:
            raise ServiceError("Failed to bind subscription.")

        def deliver(delivery: Delivery) -> None:
            call.stream.send(event_of(delivery))

        # A component hears itself, whatever its receiveMode says.
        close = broker.add(topic, call.component, deliver, others_only=False)
        subscriptions += 1

        def ended() -> None:
            nonlocal subscriptions
            subscriptions -= 1
            close()

        call.stream.on_close(ended)
        return {}

    return subscribe


def _authorize(authorizer: Authorizer, component: str, operation: str, topic: str) -> None:
    try:
        if "?" in topic:
            raise UnauthorizedError("'?' in a topic")
        authorizer.check(component, PUBSUB, operation, topic)
    except UnauthorizedError as error:
        raise UnauthorizedError(_DENIED) from error


def _reworded(
    name: str, handle: Callable[[Call], dict[str, Any] | Awaitable[dict[str, Any]]], authorizer: Authorizer
) -> Callable[[Call], dict[str, Any] | Awaitable[dict[str, Any]]]:
    def reworded(call: Call) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        try:
            prepared = _prepared(name, call, authorizer)
        except UnauthorizedError as refusal:
            raise _in_its_words(name, refusal) from refusal
        try:
            return handle(prepared)
        except FailedUpdateConditionCheckError:
            return {}  # ignored in silence
        except IpcRefusal as refusal:
            raise _in_its_words(name, refusal) from refusal

    return reworded


def _prepared(name: str, call: Call, authorizer: Authorizer) -> Call:
    """Return the call with what nucleus lite reads otherwise."""
    request = dict(call.request)
    if name in {"PublishToIoTCore", "SubscribeToIoTCore"}:
        if not isinstance(request.get("topicName"), str):
            raise ServiceError(_INVALID)
        request["qos"] = _qos(request.get("qos", "0"))
        if name == "PublishToIoTCore":
            request.setdefault("payload", "")
    elif name == "CreateLocalDeployment":
        authorizer.check(call.component, CLI, name, "")
        request["rootComponentsToRemove"] = request.get("rootComponentVersionsToRemove")
        request["failureHandlingPolicy"] = "DO_NOTHING"
    return Call(call.component, request, call.stream)


def _qos(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ServiceError("Key qos of invalid type.")
    try:
        level = int(value)
    except ValueError as error:
        raise ServiceError("Failed to parse 'qos' string value.") from error
    if not 0 <= level <= 2:
        raise ServiceError("'qos' not a valid value.")
    return str(min(level, 1))


def _in_its_words(name: str, refusal: IpcRefusal) -> ModeledError:
    if isinstance(refusal, UnauthorizedError):
        if name == "CreateLocalDeployment":
            return ServiceError(_DENIED)
        denied = "Component not authorized to restart component." if name == "RestartComponent" else _DENIED
        return UnauthorizedError(denied)
    if isinstance(refusal, ResourceNotFoundError):
        return ResourceNotFoundError(_MISSING.get(name, ""))
    if isinstance(refusal, ServiceError):
        words = "Failed to publish the message." if name == "PublishToIoTCore" else str(refusal)
        return ServiceError("Failed to bind the subscription." if name == "SubscribeToIoTCore" else words)
    if name == "UpdateConfiguration":
        restricted = isinstance(refusal, InvalidArgumentsError) and "accessControl" in refusal.message
        return InvalidArgumentsError(
            "Config update is not allowed for following field [accessControl]" if restricted else _INVALID
        )
    if name == "RestartComponent":
        return InvalidArgumentsError("Invalid arguments provided.")
    if name == "UpdateState" and isinstance(refusal, InvalidArgumentsError):
        return ServiceError("Failed to update the lifecycle state.")
    return ServiceError(_INVALID)
