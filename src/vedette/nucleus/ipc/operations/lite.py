"""The operations that nucleus lite has, with its limits and its words.

Everything else is answered with a ServiceError without words, as there. Source: aws-greengrass-lite 2.6.0
``modules/ggipcd/src/services``.
"""

import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from vedette.nucleus.ipc.authorization import CLI, PUBSUB, Authorizer
from vedette.nucleus.ipc.broker import Broker, Delivery
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import (
    FailedUpdateConditionCheckError,
    InvalidArgumentsError,
    InvalidTokenError,
    IpcRefusal,
    ModeledError,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
    UnparsableRequest,
)
from vedette.nucleus.ipc.lite_memory import Fate, fate, readable
from vedette.nucleus.ipc.operations.pubsub import event_of
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import mapping, text

__all__ = ["lite_operations"]

_log = logging.getLogger(__name__)

MAX_TOPIC_BYTES: Final = 256
MAX_SUBSCRIPTIONS: Final = 99
_INVALID: Final = "Received invalid parameters."
_DENIED: Final = "IPC Operation not authorized."
_KEPT: Final = (
    "GetConfiguration",
    "UpdateConfiguration",
    "SubscribeToConfigurationUpdate",
    "UpdateState",
    "PublishToIoTCore",
    "SubscribeToIoTCore",
    "RestartComponent",
    "CreateLocalDeployment",
    "ValidateAuthorizationToken",
)
"""What it answers as the Java nucleus does, but in words of its own."""
_TEXTS: Final = frozenset({"topic", "topicName", "componentName", "state", "token"})
"""Fields that must be texts; the Java nucleus would take numbers as well."""
_IGNORED_STATES: Final = frozenset({"NEW", "INSTALLED", "STARTING", "ERRORED", "BROKEN", "STOPPING", "FINISHED"})
"""States that a component may report of itself and that change nothing. Source: ``gghealthd/src/health.c``."""
Handler = Callable[[Call], dict[str, Any] | Awaitable[dict[str, Any]]]
_DENIED_TO: Final = {
    "RestartComponent": "Component not authorized to restart component.",
    "ValidateAuthorizationToken": "Component does not have access to token verification IPC command.",
}
_MISSING: Final = {
    "GetConfiguration": "Key not found.",
    "SubscribeToConfigurationUpdate": "Key not found",
    "RestartComponent": "Component not found.",
}


def lite_operations(java: Mapping[str, Operation], broker: Broker, authorizer: Authorizer) -> dict[str, Operation]:
    """Return nucleus lite's operations by name; ``java``: those of the Java nucleus that are here."""
    served = {
        "PublishToTopic": Operation(_publish(broker, authorizer)),
        "SubscribeToTopic": Operation(_subscribe(broker, authorizer), event_shape="SubscriptionResponseMessage"),
    }
    for name in _KEPT:
        if name in java:
            operation = java[name]
            served[name] = Operation(_reworded(name, operation.handle, authorizer), event_shape=operation.event_shape)
    return {name: replace(operation, handle=_within_memory(operation.handle)) for name, operation in served.items()}


def _within_memory(handle: Handler) -> Handler:
    def checked(call: Call) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        if not readable(call.request):
            raise UnparsableRequest("it has more parts than nucleus lite has memory for")
        return handle(call)

    return checked


def _publish(broker: Broker, authorizer: Authorizer) -> Callable[[Call], dict[str, Any]]:
    def publish(call: Call) -> dict[str, Any]:
        try:
            topic = _text(call.request, "topic")
            message = mapping(call.request, "publishMessage")
            if topic is None or message is None:
                raise ServiceError(_INVALID)
            as_json, as_binary = mapping(message, "jsonMessage"), mapping(message, "binaryMessage")
            if (as_json is None) == (as_binary is None) or "message" not in (as_json or as_binary or {}):
                raise ServiceError(_INVALID)
            encoded = None if as_binary is None else _text(as_binary, "message")
        except IpcRefusal as refusal:
            raise ServiceError(_INVALID) from refusal
        _authorize(authorizer, call.component, "PublishToTopic", topic)
        if len(topic.encode()) > MAX_TOPIC_BYTES:
            raise ServiceError("Failed to publish the message.")
        if as_json is None:
            broker.publish(topic, _decoded(encoded or ""), call.component, encoded=encoded)
            return {}
        document = as_json["message"]
        if fate(document) is Fate.REFUSED:
            raise ServiceError("Failed to publish the message.")
        broker.publish(topic, to_json(document), call.component, document, is_json=True)
        return {}

    return publish


def _decoded(encoded: str) -> bytes:
    """Return what subscribers within the nucleus see; to components the text goes as it is, base64 or not."""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _subscribe(broker: Broker, authorizer: Authorizer) -> Callable[[Call], dict[str, Any]]:
    subscriptions = 0

    def subscribe(call: Call) -> dict[str, Any]:
        nonlocal subscriptions
        try:
            topic = _text(call.request, "topic")
        except IpcRefusal as refusal:
            raise ServiceError(_INVALID) from refusal
        if topic is None:
            raise ServiceError(_INVALID)
        _authorize(authorizer, call.component, "SubscribeToTopic", topic)
        if not 0 < len(topic.encode()) <= MAX_TOPIC_BYTES or subscriptions >= MAX_SUBSCRIPTIONS:
            raise ServiceError("Failed to bind subscription.")

        def deliver(delivery: Delivery) -> None:
            what = fate(delivery.document) if delivery.is_json else Fate.DELIVERED
            if what is Fate.DELIVERED:
                call.stream.send(event_of(delivery))
                return
            _log.warning(
                "a structured message on %s has too many parts for nucleus lite: %s does not hear it%s",
                delivery.topic,
                call.component,
                ", nor any other on its subscription from now on" if what is Fate.DEAFENS else "",
            )
            if what is Fate.DEAFENS:
                close()

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


def _reworded(name: str, handle: Handler, authorizer: Authorizer) -> Handler:
    def reworded(call: Call) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        try:
            prepared = _prepared(name, call, authorizer)
        except UnauthorizedError as refusal:
            raise _in_its_words(name, refusal) from refusal
        if name == "UpdateState" and prepared.request["state"] in _IGNORED_STATES:
            return {}
        try:
            _check_kinds(prepared.request)
            answer = handle(prepared)
            return answer if isinstance(answer, dict) else _awaited(name, answer)
        except FailedUpdateConditionCheckError:
            return {}  # ignored in silence
        except IpcRefusal as refusal:
            raise _in_its_words(name, refusal) from refusal

    return reworded


async def _awaited(name: str, answer: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    try:
        return await answer
    except IpcRefusal as refusal:
        raise _in_its_words(name, refusal) from refusal


def _prepared(name: str, call: Call, authorizer: Authorizer) -> Call:
    """Return the call with what nucleus lite reads otherwise."""
    request = dict(call.request)
    if name in {"PublishToIoTCore", "SubscribeToIoTCore"}:
        if not isinstance(request.get("topicName"), str):
            raise ServiceError(_INVALID)
        request["qos"] = _qos(request.get("qos", "0"))
        if name == "PublishToIoTCore":
            request.setdefault("payload", "")
            if not isinstance(request["payload"], str):
                raise ServiceError(_INVALID)
            if not _is_base64(request["payload"]):
                raise ServiceError("'payload' is not valid base64.")
    elif name == "UpdateState":
        if not isinstance(request.get("state"), str):
            raise ServiceError(_INVALID)
    elif name == "RestartComponent" and request.get("componentName") == "":
        authorizer.check(call.component, CLI, name, "")
    elif name == "CreateLocalDeployment":
        authorizer.check(call.component, CLI, name, "")
        request["rootComponentsToRemove"] = request.get("rootComponentVersionsToRemove")
        request["failureHandlingPolicy"] = "DO_NOTHING"
    return Call(call.component, request, call.stream)


def _text(request: dict[str, Any], key: str) -> str | None:
    if key in request and not isinstance(request[key], str):
        raise UnparsableRequest(f"{key} is no text")
    return text(request, key)


def _check_kinds(request: Mapping[str, Any]) -> None:
    """Raise UnparsableRequest where a value is of a kind that nucleus lite does not convert."""
    texts = [value for key, value in request.items() if key in _TEXTS]
    path = request.get("keyPath")
    if not all(isinstance(value, str) for value in (*texts, *(path if isinstance(path, list) else ()))):
        raise UnparsableRequest("a value is no text")


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return True


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
        return UnauthorizedError(_DENIED_TO.get(name, _DENIED))
    if isinstance(refusal, InvalidTokenError):
        return InvalidTokenError("Invalid token used by stream manager when trying to authorize.")
    if isinstance(refusal, ResourceNotFoundError):
        return ResourceNotFoundError(_MISSING.get(name, ""))
    if name == "UpdateState" and isinstance(refusal, ServiceError):
        return ServiceError(refusal.message if refusal.message == _INVALID else "Failed to update the lifecycle state.")
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
    return ServiceError(_INVALID)
