"""PublishToTopic and SubscribeToTopic."""

import base64
from collections.abc import Mapping
from typing import Any

from vedette.nucleus.ipc.authorization import PUBSUB, Authorizer
from vedette.nucleus.ipc.broker import Broker, Delivery
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError, UnparsableRequest
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, mapping, text

__all__ = ["event_of", "pubsub_operations"]

_OTHERS_ONLY = {None: None, "RECEIVE_ALL_MESSAGES": False, "RECEIVE_MESSAGES_FROM_OTHERS": True}


def pubsub_operations(broker: Broker, authorizer: Authorizer) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def publish(call: Call) -> dict[str, Any]:
        topic = text(call.request, "topic")
        authorizer.check(call.component, PUBSUB, "PublishToTopic", topic or "")
        if not topic:
            raise InvalidArgumentsError("Publish topic must not be null")
        message = mapping(call.request, "publishMessage") or {}
        json_message, binary_message = mapping(message, "jsonMessage"), mapping(message, "binaryMessage")
        if json_message is not None:
            document = mapping(json_message, "message") or {}
            broker.publish(topic, to_json(document), call.component, document)
        elif binary_message is not None:
            broker.publish(topic, binary(binary_message, "message") or b"", call.component)
        else:
            raise InvalidArgumentsError("publishMessage has neither jsonMessage nor binaryMessage")
        return {}

    def subscribe(call: Call) -> dict[str, Any]:
        topic = text(call.request, "topic")
        authorizer.check(call.component, PUBSUB, "SubscribeToTopic", topic or "")
        mode = text(call.request, "receiveMode")
        if mode not in _OTHERS_ONLY:
            raise UnparsableRequest(f"receiveMode {mode!r}, expected one of {', '.join(filter(None, _OTHERS_ONLY))}")

        def deliver(delivery: Delivery) -> None:
            call.stream.send(event_of(delivery))

        closer = broker.add(topic or "", call.component, deliver, others_only=_OTHERS_ONLY[mode])
        call.stream.on_close(closer)
        return {}

    return {
        "PublishToTopic": Operation(publish, integers_as_floats=True),
        "SubscribeToTopic": Operation(subscribe, event_shape="SubscriptionResponseMessage"),
    }


def event_of(delivery: Delivery) -> bytes:
    """Return a delivery as the event of its subscription."""
    context = {"topic": delivery.topic}
    if delivery.is_json:
        return to_json({"jsonMessage": {"message": delivery.document, "context": context}})
    message = base64.b64encode(delivery.payload).decode()
    return to_json({"binaryMessage": {"message": message, "context": context}})
