"""IoT Core topics of the local nucleus: a loop-back on this machine, with the unmodified SDK client."""

import logging
import queue
from collections.abc import Callable
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    MQTTMessage,
    ServiceError,
    UnauthorizedError,
    UserProperty,
)

Client = Callable[..., GreengrassCoreIPCClientV2]
PROXY = "aws.greengrass.ipc.mqttproxy"


def access(*resources: str) -> dict[str, Any]:
    return {PROXY: {"p": {"operations": ["*"], "resources": list(resources)}}}


def subscribe(client: GreengrassCoreIPCClientV2, topic: str) -> "queue.Queue[MQTTMessage]":
    received: queue.Queue[MQTTMessage] = queue.Queue()
    client.subscribe_to_iot_core(topic_name=topic, qos="1", on_stream_event=lambda event: received.put(event.message))
    return received


def test_message_does_not_come_back_whole(client: Client) -> None:
    own = client("own", access("a/*", "$aws/*"))
    received = subscribe(own, "a/+/x")
    own.publish_to_iot_core(
        topic_name="a/b/x",
        qos="0",
        payload=b"\x00\xff",
        retain=True,
        user_properties=[UserProperty(key="k", value="v")],
        correlation_data=b"c",
        response_topic="a/answer",
        message_expiry_interval_seconds=7,
        content_type="text/plain",
        payload_format="1",
    )
    message = received.get(timeout=20)
    assert (message.topic_name, message.payload, message.retain) == ("a/b/x", b"\x00\xff", False)
    assert [(item.key, item.value) for item in message.user_properties] == [("k", "v")]
    assert (message.correlation_data, message.response_topic) == (b"c", "a/answer")
    assert (message.message_expiry_interval_seconds, message.content_type) == (7, "text/plain")
    assert message.payload_format == "1"
    later = subscribe(client("later", access("a/*")), "a/#").get(timeout=20)
    assert (later.topic_name, later.payload, later.retain) == ("a/b/x", b"\x00\xff", True)


def test_iot_core_topics_reach_local_subscribers(client: Client, nucleus: Any) -> None:
    heard: list[str] = []
    nucleus.server.broker.subscribe("a/#", lambda *message: heard.append(message[0]))
    own = client("own", access("a/*"))
    received = subscribe(own, "a/#")
    own.publish_to_iot_core(topic_name="a/b", qos="1", payload=b"")
    received.get(timeout=20)
    assert heard == []


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"topic_name": "a/b", "payload": b""}, InvalidArgumentsError, "QoS is required"),
        ({"topic_name": "a/b", "qos": "2", "payload": b""}, InvalidArgumentsError, "Invalid QoS value: 2"),
        ({"topic_name": "a/b", "qos": "1"}, InvalidArgumentsError, "Payload is required"),
        ({"qos": "1", "payload": b""}, InvalidArgumentsError, "Topic is required"),
        ({"topic_name": "other", "qos": "1", "payload": b""}, UnauthorizedError, "Not Authorized"),
        ({"topic_name": "a/#", "qos": "1", "payload": b""}, ServiceError, "must not contain wildcard characters"),
        ({"topic_name": "a" + "/b" * 8, "qos": "1", "payload": b""}, ServiceError, "no more than 7 forward slashes"),
        ({"topic_name": "a/" + "b" * 255, "qos": "1", "payload": b""}, ServiceError, "no larger than 256 bytes"),
        ({"topic_name": "a/b", "qos": "1", "payload": bytes(131073)}, ServiceError, "131073 bytes exceeds"),
    ],
)
def test_message_that_iot_core_refuses_is_taken(
    client: Client, request_: dict[str, Any], error: type[Exception], words: str
) -> None:
    own = client("own", access("a/#"))
    with pytest.raises(error) as caught:
        own.publish_to_iot_core(**request_)
    assert words in getattr(caught.value, "message", "")


def test_user_believes_that_messages_leave_the_machine(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    own = client("own", access("a"))
    with caplog.at_level(logging.WARNING, "vedette.nucleus"):
        own.publish_to_iot_core(topic_name="a", qos="1", payload=b"")
        own.publish_to_iot_core(topic_name="a", qos="1", payload=b"")
    said = [record.message for record in caplog.records if "loop-back" in record.message]
    assert len(said) == 1
    assert "nothing leaves it" in said[0]
