"""IoT Core topics without IoT Core: a loop-back that hands what is published to who is subscribed on this machine.

Nothing leaves the machine and nothing comes in; the first use says so in the log. Messages and topics are checked as
the Java nucleus and IoT Core check them (its ``IotCoreTopicValidator.java``), so that what passes here passes there.
"""

import base64
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.nucleus.ipc.authorization import MQTT_PROXY, Authorizer
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError, ServiceError, UnauthorizedError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, flag, integer, text
from vedette.nucleus.ipc.topics import filter_pattern

__all__ = ["IotCoreLoopBack", "topic_problem"]

_log = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES: Final = 128 * 1024
MAX_TOPIC_LENGTH: Final = 256
MAX_RESERVED_LENGTH: Final = 512
MAX_SLASHES: Final = 7
_KEPT: Final = ("userProperties", "messageExpiryIntervalSeconds", "correlationData", "responseTopic", "contentType")
_DIRECT_INGEST: Final = re.compile(r"\$aws/rules/\S+?/")


def topic_problem(topic: str, *, publish: bool) -> str | None:
    """Return what is wrong with a topic or filter in the Java nucleus's words, None when nothing is."""
    if not topic:
        return "Topic must not be empty"
    if publish and ("#" in topic or "+" in topic):
        return "Publish topics must not contain wildcard characters of '#' or '+'"
    ingest = _DIRECT_INGEST.match(topic)
    if topic.startswith("$") and ingest is None:
        if len(topic) > MAX_RESERVED_LENGTH:
            return (
                f"Reserved topic total length is greater than {MAX_RESERVED_LENGTH} bytes of UTF-8 encoded characters "
                f"and is most likely over the IoT Core limit of {MAX_TOPIC_LENGTH} bytes (excluding prefixes)."
            )
        return None
    effective = topic if ingest is None else topic[ingest.end() :]
    if effective.count("/") > MAX_SLASHES:
        return f"The request topic must have no more than {MAX_SLASHES} forward slashes (/)"
    if len(effective) > MAX_TOPIC_LENGTH:
        return (
            f"The topic size of request must be no larger than {MAX_TOPIC_LENGTH} bytes of UTF-8 encoded characters. "
            "This excludes the first 3 mandatory segments for Basic Ingest topics ($AWS/rules/rule-name/)"
        )
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Subscription:
    pattern: re.Pattern[str]
    send: Callable[[bytes], None]


class IotCoreLoopBack:
    """PublishToIoTCore and SubscribeToIoTCore on this machine alone. Belongs to the event loop's thread."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer
        self._subscriptions: dict[_Subscription, None] = {}
        self._retained: dict[str, bytes] = {}
        self._said = False
        self.published = 0
        """Messages accepted so far; none of them left the machine."""

    def operations(self) -> Mapping[str, Operation]:
        """Return the operations by name."""
        return {
            "PublishToIoTCore": Operation(self._publish),
            "SubscribeToIoTCore": Operation(self._subscribe, event_shape="IoTCoreMessage"),
        }

    def _publish(self, call: Call) -> dict[str, Any]:
        topic = self._topic(call, "PublishToIoTCore")
        payload = binary(call.request, "payload")
        if payload is None:
            raise InvalidArgumentsError("Payload is required")
        _check_qos(call)
        problem = topic_problem(topic, publish=True)
        if len(payload) > MAX_PAYLOAD_BYTES:
            problem = (
                f"The publishing message size {len(payload)} bytes exceeds the configured limit of "
                f"{MAX_PAYLOAD_BYTES} bytes"
            )
        if problem is not None:
            raise ServiceError(f"Publish to topic {topic} failed: {problem}")
        integer(call.request, "messageExpiryIntervalSeconds")
        binary(call.request, "correlationData")
        retain = flag(call.request, "retain")
        # IoT Core hands a live message on without its retain flag; whoever subscribes later gets it with the flag.
        message: dict[str, Any] = {"topicName": topic, "payload": base64.b64encode(payload).decode(), "retain": False}
        message |= {key: call.request[key] for key in _KEPT if call.request.get(key) is not None}
        message["payloadFormat"] = "1" if call.request.get("payloadFormat") == "1" else "0"
        event = to_json({"message": message})
        self.published += 1
        if retain and payload:
            self._retained[topic] = to_json({"message": {**message, "retain": True}})
        elif retain:
            self._retained.pop(topic, None)
        for subscription in list(self._subscriptions):
            if subscription.pattern.fullmatch(topic):
                subscription.send(event)
        return {}

    def _subscribe(self, call: Call) -> dict[str, Any]:
        topic = self._topic(call, "SubscribeToIoTCore")
        _check_qos(call)
        problem = topic_problem(topic, publish=False)
        if problem is not None:
            raise ServiceError(f"Subscribe to topic {topic} failed with error {problem}")
        subscription = _Subscription(filter_pattern(topic), call.stream.send)
        self._subscriptions[subscription] = None
        call.stream.on_close(lambda: self._subscriptions.pop(subscription, None))
        for retained, event in self._retained.items():
            if subscription.pattern.fullmatch(retained):
                subscription.send(event)
        return {}

    def _topic(self, call: Call, operation: str) -> str:
        topic = text(call.request, "topicName")
        if topic is None:
            raise InvalidArgumentsError("Topic is required")
        try:
            self._authorizer.check(call.component, MQTT_PROXY, operation, topic)
        except UnauthorizedError as error:
            raise UnauthorizedError("Not Authorized") from error
        if not self._said:
            self._said = True
            _log.warning(
                "%s uses IoT Core topics: there is no connection to AWS IoT Core here, they are a loop-back on this "
                "machine; nothing leaves it",
                call.component,
            )
        return topic


def _check_qos(call: Call) -> None:
    qos = text(call.request, "qos")
    if qos is None:
        raise InvalidArgumentsError("QoS is required")
    if qos not in {"0", "1"}:
        raise InvalidArgumentsError(f"Invalid QoS value: {qos}")
