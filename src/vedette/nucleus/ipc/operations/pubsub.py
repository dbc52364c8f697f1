"""PublishToTopic and SubscribeToTopic."""

import base64
from collections.abc import Mapping
from typing import Any, TypeVar

from vedette.nucleus.ipc.authorization import PUBSUB, Authorizer
from vedette.nucleus.ipc.broker import Broker, Delivery
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError, ServiceError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, mapping, text

__all__ = ["event_of", "pubsub_operations"]

T = TypeVar("T")
_OTHERS_ONLY = {"RECEIVE_ALL_MESSAGES": False, "RECEIVE_MESSAGES_FROM_OTHERS": True}


def pubsub_operations(broker: Broker, authorizer: Authorizer) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def publish(call: Call) -> dict[str, Any]:
        topic = text(call.request, "topic")
        authorizer.check(call.component, PUBSUB, "PublishToTopic", topic or "")
        if not topic:
            raise InvalidArgumentsError("Publish topic must not be null")
        message = _given(mapping(call.request, "publishMessage"))
        json_message, binary_message = mapping(message, "jsonMessage"), mapping(message, "binaryMessage")
        if json_message is not None and binary_message is not None:
            raise ServiceError("More than one union member set for type: aws.greengrass#PublishMessage")
        if json_message is not None:
            document = _given(mapping(json_message, "message"))
            broker.publish(topic, to_json(document), call.component, document)
        elif binary_message is not None:
            broker.publish(topic, _given(binary(binary_message, "message")), call.component)
        else:
            broker.publish(topic, b"", call.component)
        return {}

    def subscribe(call: Call) -> dict[str, Any]:
        topic = text(call.request, "topic")
        authorizer.check(call.component, PUBSUB, "SubscribeToTopic", topic or "")
        mode = text(call.request, "receiveMode") or ""

        def deliver(delivery: Delivery) -> None:
            call.stream.send(event_of(delivery))

        closer = broker.add(topic or "", call.component, deliver, others_only=_OTHERS_ONLY.get(mode))
        call.stream.on_close(closer)
        return {}

    return {
        "PublishToTopic": Operation(publish, integers_as_floats=True),
        "SubscribeToTopic": Operation(subscribe, event_shape="SubscriptionResponseMessage"),
    }


def _given(value: T | None) -> T:
    """Return a value that a request must have; without it the Java nucleus meets a null, and says nothing more."""
    if value is None:
        raise ServiceError("")
    return value


def event_of(delivery: Delivery) -> bytes:
    """Return a delivery as the event of its subscription."""
    context = {"topic": delivery.topic}
    if delivery.is_json:
        return to_json({"jsonMessage": {"message": delivery.document, "context": context}})
    message = delivery.encoded
    if message is None:
        message = base64.b64encode(delivery.payload).decode()
    return to_json({"binaryMessage": {"message": message, "context": context}})
