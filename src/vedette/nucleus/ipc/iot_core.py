"""PublishToIoTCore and SubscribeToIoTCore: over a connection to AWS IoT Core, or in a loop-back on this machine.

Messages and topics are checked as the Java nucleus and IoT Core check them (its ``IotCoreTopicValidator.java``), so
that what passes here passes there.
"""

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from vedette.nucleus.ipc.authorization import MQTT_PROXY, Authorizer
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError, ServiceError, UnauthorizedError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import binary, flag, integer, text
from vedette.nucleus.ipc.topics import filter_pattern

__all__ = ["Carrier", "CarrierError", "IotCore", "IotMessage", "topic_problem"]

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


@dataclass(frozen=True)
class IotMessage:
    """A message on an IoT Core topic. ``properties``: those of MQTT 5 by their names in the service model."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)

    def event(self, *, lite: bool = False) -> bytes:
        """Return the message as the event of a subscription; nucleus lite hands on topic and payload alone."""
        if lite:
            payload = base64.b64encode(self.payload).decode()
            return to_json({"message": {"topicName": self.topic, "payload": payload}})
        message: dict[str, Any] = {
            "topicName": self.topic,
            "payload": base64.b64encode(self.payload).decode(),
            "retain": self.retain,
            **self.properties,
        }
        message.setdefault("payloadFormat", "0")
        return to_json({"message": message})


class CarrierError(Exception):
    """A message or subscription that the carrier does not take; the text says why."""


class Carrier(Protocol):
    """Takes messages to IoT Core and brings them back; the methods belong to the event loop's thread."""

    def publish(self, message: IotMessage) -> None:
        """Take a message, to be sent now or when there is a connection again; CarrierError when it cannot be taken."""

    def subscribe(self, topic_filter: str, qos: int) -> Awaitable[None]:
        """Ask for messages; done when IoT Core has agreed, CarrierError when it does not."""

    def unsubscribe(self, topic_filter: str) -> None:
        """Ask for no more messages."""


@dataclass(frozen=True, slots=True, eq=False)
class _Subscription:
    topic_filter: str
    pattern: re.Pattern[str]
    deliver: Callable[[IotMessage], None]


class IotCore:
    """The operations, and who is subscribed to what. Belongs to the event loop's thread."""

    def __init__(self, authorizer: Authorizer, *, lite: bool = False) -> None:
        """``lite``: take what nucleus lite takes; a topic that IoT Core refuses is accepted, and lost."""
        self._authorizer = authorizer
        self._lite = lite
        self._subscriptions: dict[_Subscription, None] = {}
        self.carrier: Carrier = LoopBack(self.deliver)
        self.published = 0
        """Messages taken so far."""

    def operations(self) -> Mapping[str, Operation]:
        """Return the operations by name."""
        return {
            "PublishToIoTCore": Operation(self._publish),
            "SubscribeToIoTCore": Operation(self._subscribe, event_shape="IoTCoreMessage"),
        }

    def deliver(self, message: IotMessage) -> None:
        """Hand a message that came to everybody who is subscribed."""
        for subscription in list(self._subscriptions):
            if subscription.pattern.fullmatch(message.topic):
                subscription.deliver(message)

    async def listen(
        self, topic_filter: str, deliver: Callable[[IotMessage], None], qos: int = 1
    ) -> Callable[[], None]:
        """Subscribe for the nucleus itself; returns the closer. CarrierError when IoT Core does not agree."""
        subscription = _Subscription(topic_filter, filter_pattern(topic_filter), deliver)
        self._subscriptions[subscription] = None
        try:
            await self.carrier.subscribe(topic_filter, qos)
        except BaseException:
            self._drop(subscription)
            raise
        return lambda: self._drop(subscription)

    def _drop(self, subscription: _Subscription) -> None:
        if self._subscriptions.pop(subscription, self) is None and not any(
            other.topic_filter == subscription.topic_filter for other in self._subscriptions
        ):
            self.carrier.unsubscribe(subscription.topic_filter)

    def _publish(self, call: Call) -> dict[str, Any]:
        topic = self._topic(call, "PublishToIoTCore")
        payload = binary(call.request, "payload")
        if payload is None:
            raise InvalidArgumentsError("Payload is required")
        qos = _qos(call)
        problem = topic_problem(topic, publish=True)
        if len(payload) > MAX_PAYLOAD_BYTES:
            problem = (
                f"The publishing message size {len(payload)} bytes exceeds the configured limit of "
                f"{MAX_PAYLOAD_BYTES} bytes"
            )
        integer(call.request, "messageExpiryIntervalSeconds")
        binary(call.request, "correlationData")
        properties = {key: call.request[key] for key in _KEPT if call.request.get(key) is not None}
        properties["payloadFormat"] = "1" if call.request.get("payloadFormat") == "1" else "0"
        if problem is not None and self._lite:
            _log.warning("a message for IoT Core is lost, as IoT Core would end the connection: %s", problem)
            return {}
        if problem is None:
            try:
                self.carrier.publish(IotMessage(topic, payload, qos, flag(call.request, "retain"), properties))
            except CarrierError as error:
                problem = str(error)
        if problem is not None:
            raise ServiceError(f"Publish to topic {topic} failed: {problem}")
        self.published += 1
        return {}

    async def _subscribe(self, call: Call) -> dict[str, Any]:
        topic = self._topic(call, "SubscribeToIoTCore")
        qos = _qos(call)
        problem = topic_problem(topic, publish=False)
        if problem is not None:
            raise ServiceError(f"Subscribe to topic {topic} failed with error {problem}")
        held: list[IotMessage] | None = []

        def deliver(message: IotMessage) -> None:
            # What comes before the answer is kept: a retained message may be faster than IoT Core's agreement.
            if held is None:
                call.stream.send(message.event(lite=self._lite))
            else:
                held.append(message)

        def release() -> None:
            nonlocal held
            early, held = held or [], None
            for message in early:
                call.stream.send(message.event(lite=self._lite))

        gone = False
        close: Callable[[], None] | None = None

        def ended() -> None:
            nonlocal gone
            gone = True
            if close is not None:
                close()

        call.stream.on_close(ended)
        try:
            close = await self.listen(topic, deliver, qos)
        except CarrierError as error:
            raise ServiceError(f"Subscribe to topic {topic} failed with error {error}") from error
        if gone:
            close()
        asyncio.get_running_loop().call_soon(release)
        return {}

    def _topic(self, call: Call, operation: str) -> str:
        topic = text(call.request, "topicName")
        if topic is None:
            raise InvalidArgumentsError("Topic is required")
        try:
            self._authorizer.check(call.component, MQTT_PROXY, operation, topic)
        except UnauthorizedError as error:
            raise UnauthorizedError("Not Authorized") from error
        return topic


class LoopBack:
    """No connection: what is published goes to who is subscribed on this machine, and nothing leaves it."""

    def __init__(self, deliver: Callable[[IotMessage], None]) -> None:
        self._deliver = deliver
        self._retained: dict[str, IotMessage] = {}
        self._said = False

    def publish(self, message: IotMessage) -> None:
        """Hand the message on; IoT Core sends it without its retain flag, and with it to whoever subscribes later."""
        self._say()
        if message.retain and message.payload:
            self._retained[message.topic] = message
        elif message.retain:
            self._retained.pop(message.topic, None)
        self._deliver(replace(message, retain=False))

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hand on what is retained."""
        del qos
        self._say()
        pattern = filter_pattern(topic_filter)
        for topic, message in list(self._retained.items()):
            if pattern.fullmatch(topic):
                self._deliver(message)

    def unsubscribe(self, topic_filter: str) -> None:
        """Nothing needs to be said to nobody."""

    def _say(self) -> None:
        if not self._said:
            self._said = True
            _log.warning(
                "IoT Core topics are in use: there is no connection to AWS IoT Core here, they are a loop-back on this "
                "machine; nothing leaves it"
            )


def _qos(call: Call) -> int:
    qos = text(call.request, "qos")
    if qos is None:
        raise InvalidArgumentsError("QoS is required")
    if qos not in {"0", "1"}:
        raise InvalidArgumentsError(f"Invalid QoS value: {qos}")
    return int(qos)
