"""Publish and subscribe with the unmodified SDK client."""

import queue
from collections.abc import Callable
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    BinaryMessage,
    CredentialDocument,
    InvalidArgumentsError,
    JsonMessage,
    PublishMessage,
    ServiceError,
    SubscriptionResponseMessage,
    UnauthorizedError,
)

Client = Callable[..., GreengrassCoreIPCClientV2]


def binary(payload: bytes) -> PublishMessage:
    return PublishMessage(binary_message=BinaryMessage(message=payload))


def subscribe(client: GreengrassCoreIPCClientV2, topic: str, mode: str | None = None) -> Any:
    """Subscribe; returns the queue of (topic, payload or object) and the operation."""
    received: queue.Queue[tuple[str, Any]] = queue.Queue()

    def on_event(event: SubscriptionResponseMessage) -> None:
        message = event.binary_message or event.json_message
        received.put((message.context.topic, message.message))

    _, operation = client.subscribe_to_topic(topic=topic, receive_mode=mode, on_stream_event=on_event)
    return received, operation


def test_message_does_not_reach_other_component(client: Client) -> None:
    received, _ = subscribe(client("reader"), "vedette/camera/front/status")
    client("writer").publish_to_topic(topic="vedette/camera/front/status", publish_message=binary(b'{"n": 1}\x00\xff'))
    assert received.get(timeout=20) == ("vedette/camera/front/status", b'{"n": 1}\x00\xff')


def test_wildcards_match_wrong_topics(client: Client) -> None:
    reader, writer = client("reader"), client("writer")
    one, _ = subscribe(reader, "vedette/camera/+/status")
    all_below, _ = subscribe(reader, "vedette/#")
    for topic in (
        "vedette/camera/a/status",
        "vedette/camera/a/b/status",
        "vedette/model/m/status",
        "other/x",
        "vedette",
    ):
        writer.publish_to_topic(topic=topic, publish_message=binary(topic.encode()))
    writer.publish_to_topic(topic="vedette/camera/end/status", publish_message=binary(b"end"))
    assert [one.get(timeout=20)[0] for _ in range(2)] == ["vedette/camera/a/status", "vedette/camera/end/status"]
    assert [all_below.get(timeout=20)[0] for _ in range(4)] == [
        "vedette/camera/a/status",
        "vedette/camera/a/b/status",
        "vedette/model/m/status",
        "vedette/camera/end/status",
    ]
    assert one.empty()
    assert all_below.empty()


@pytest.mark.parametrize(
    ("topic", "mode", "expected"),
    [
        ("t/own", None, [b"own", b"other"]),
        ("t/+", None, [b"other"]),
        ("t/+", "RECEIVE_ALL_MESSAGES", [b"own", b"other"]),
        ("t/own", "RECEIVE_MESSAGES_FROM_OTHERS", [b"other"]),
    ],
)
def test_own_messages_come_back_against_the_receive_mode(
    client: Client, topic: str, mode: str | None, expected: list[bytes]
) -> None:
    own, other = client("own"), client("other")
    received, _ = subscribe(own, topic, mode)
    own.publish_to_topic(topic="t/own", publish_message=binary(b"own"))
    other.publish_to_topic(topic="t/own", publish_message=binary(b"other"))
    assert [received.get(timeout=20)[1] for _ in expected] == expected


def test_integers_of_a_json_message_arrive_as_the_java_nucleus_sends_them(client: Client) -> None:
    received, _ = subscribe(client("reader"), "json")
    message = JsonMessage(message={"count": 1, "name": "käse", "list": [1, None, True]})
    client("writer").publish_to_topic(topic="json", publish_message=PublishMessage(json_message=message))
    document = received.get(timeout=20)[1]
    assert document == {"count": 1, "name": "käse", "list": [1, None, True]}
    assert isinstance(document["count"], float)


def test_messages_of_one_publisher_change_their_order(client: Client) -> None:
    received, _ = subscribe(client("reader"), "order")
    writer = client("writer")
    pending = [
        writer.publish_to_topic_async(topic="order", publish_message=binary(b"%d" % number)) for number in range(300)
    ]
    for future in pending:
        future.result(5)
    assert [int(received.get(timeout=20)[1]) for _ in range(300)] == list(range(300))


def test_ended_subscription_still_receives(client: Client) -> None:
    reader, writer = client("reader"), client("writer")
    received, operation = subscribe(reader, "end")
    still, _ = subscribe(reader, "end")
    operation.close().result(5)
    writer.publish_to_topic(topic="end", publish_message=binary(b"late"))
    assert still.get(timeout=20)[1] == b"late"
    assert received.empty()


def test_large_message_is_lost(client: Client) -> None:
    received, _ = subscribe(client("reader"), "large")
    payload = bytes(range(256)) * 8192
    client("writer").publish_to_topic(topic="large", publish_message=binary(payload))
    assert received.get(timeout=10)[1] == payload


def test_publishing_to_a_wildcard_is_accepted(client: Client) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        client("writer").publish_to_topic(topic="a/#", publish_message=binary(b""))
    assert caught.value.message == "Publish topic must not contain a wildcard."


ONLY_CAM = {
    "aws.greengrass.ipc.pubsub": {
        "narrow:pubsub:1": {
            "operations": ["aws.greengrass#PublishToTopic"],
            "resources": ["cam/*/status", "things/{iot:thingName}/x"],
        },
        "narrow:pubsub:2": {"operations": ["aws.greengrass#SubscribeToTopic"], "resources": ["cam/#"]},
    }
}


@pytest.mark.parametrize("topic", ["cam/front/status", "cam/a/b/status", "things/bench-1/x"])
def test_allowed_topic_is_refused(client: Client, topic: str) -> None:
    client("narrow", ONLY_CAM).publish_to_topic(topic=topic, publish_message=binary(b""))


@pytest.mark.parametrize("topic", ["cam/status", "cam/front/status/x", "xcam/front/status", "things/bench-2/x"])
def test_topic_without_policy_is_allowed(client: Client, topic: str) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        client("narrow", ONLY_CAM).publish_to_topic(topic=topic, publish_message=binary(b""))
    assert caught.value.message == (
        "Principal narrow is not authorized to perform "
        f"aws.greengrass.ipc.pubsub:aws.greengrass#PublishToTopic on resource {topic}"
    )


def test_subscribe_is_compared_as_a_filter_and_not_literally(client: Client) -> None:
    narrow = client("narrow", ONLY_CAM)
    subscribe(narrow, "cam/#")
    for topic in ("cam/front", "#"):
        with pytest.raises(UnauthorizedError):
            subscribe(narrow, topic)


def test_changed_policy_needs_a_new_connection(client: Client, nucleus: Any) -> None:
    narrow = client("narrow", {})
    with pytest.raises(UnauthorizedError):
        narrow.publish_to_topic(topic="t", publish_message=binary(b""))
    policy = {"p": {"operations": ["*"], "resources": ["t"]}}
    nucleus.configuration.apply("narrow", {"accessControl": {"aws.greengrass.ipc.pubsub": policy}})
    narrow.publish_to_topic(topic="t", publish_message=binary(b""))


def test_operation_that_is_not_served_leaves_the_client_waiting(client: Client) -> None:
    asking = client("asking")
    with pytest.raises(ServiceError) as caught:
        asking.get_client_device_auth_token(credential=CredentialDocument())
    assert caught.value.message == "Operation aws.greengrass#GetClientDeviceAuthToken is not supported by Greengrass"
    asking.publish_to_topic(topic="t", publish_message=binary(b""))


def test_in_process_subscriber_misses_a_component(client: Client, nucleus: Any) -> None:
    heard: queue.Queue[tuple[str, bytes, str]] = queue.Queue()
    close = nucleus.server.broker.subscribe("vedette/+/status", lambda *message: heard.put(message))
    client("writer").publish_to_topic(topic="vedette/x/status", publish_message=binary(b"1"))
    assert heard.get(timeout=20) == ("vedette/x/status", b"1", "writer")
    close()
    assert nucleus.server.broker.subscribers == 1, "more than the nucleus's own, for shadow requests"


def test_component_misses_the_nucleus_itself(client: Client, nucleus: Any) -> None:
    received, _ = subscribe(client("reader"), "from/inside")
    assert nucleus.server.broker.publish("from/inside", b"1", "nucleus") == 1
    assert received.get(timeout=20) == ("from/inside", b"1")
