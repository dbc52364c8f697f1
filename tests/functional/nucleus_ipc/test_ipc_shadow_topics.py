"""Shadow requests over local publish/subscribe, with the unmodified SDK client."""

import json
import queue
from collections.abc import Callable
from typing import Any

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import BinaryMessage, JsonMessage, PublishMessage

Client = Callable[..., GreengrassCoreIPCClientV2]
PREFIX = "$aws/things/bench-1/shadow"


def listen(client: GreengrassCoreIPCClientV2) -> "queue.Queue[tuple[str, Any]]":
    received: queue.Queue[tuple[str, Any]] = queue.Queue()

    def hear(event: Any) -> None:
        if event.binary_message is not None:
            message = event.binary_message
            received.put((message.context.topic.removeprefix(PREFIX), json.loads(message.message or b"null")))

    client.subscribe_to_topic(topic=f"{PREFIX}/#", receive_mode="RECEIVE_MESSAGES_FROM_OTHERS", on_stream_event=hear)
    return received


def publish(client: GreengrassCoreIPCClientV2, suffix: str, payload: bytes = b"") -> None:
    message = PublishMessage(binary_message=BinaryMessage(message=payload))
    client.publish_to_topic(topic=PREFIX + suffix, publish_message=message)


def test_published_update_changes_nothing(client: Client) -> None:
    own = client("own")
    received = listen(own)
    publish(own, "/name/cfg/update", b'{"state": {"desired": {"fps": 5}}, "clientToken": "t"}')
    assert [received.get(timeout=20)[0] for _ in range(3)] == [
        "/name/cfg/update/delta",
        "/name/cfg/update/documents",
        "/name/cfg/update/accepted",
    ]
    publish(own, "/name/cfg/get")
    topic, document = received.get(timeout=20)
    assert topic == "/name/cfg/get/accepted"
    assert document["state"] == {"desired": {"fps": 5}, "delta": {"fps": 5}}
    assert json.loads(own.get_thing_shadow(thing_name="bench-1", shadow_name="cfg").payload)["version"] == 1
    assert received.get(timeout=20)[0] == "/name/cfg/get/accepted"
    publish(own, "/name/cfg/delete")
    assert received.get(timeout=20)[0] == "/name/cfg/delete/accepted"


def test_json_message_is_no_update(client: Client) -> None:
    own = client("own")
    received = listen(own)
    message = PublishMessage(json_message=JsonMessage(message={"state": {"reported": {"fps": 5}}}))
    own.publish_to_topic(topic=f"{PREFIX}/update", publish_message=message)
    assert received.get(timeout=20)[0] == "/update/documents"
    assert received.get(timeout=20)[1]["state"] == {"reported": {"fps": 5.0}}


def test_refusal_is_silent(client: Client) -> None:
    own = client("own")
    received = listen(own)
    publish(own, "/get")
    topic, document = received.get(timeout=20)
    assert (topic, document["code"], document["message"]) == (
        "/get/rejected",
        404,
        "No shadow exists with name: Unnamed Shadow",
    )
    publish(own, "/update", b'{"state": {"desired": 5}}')
    topic, document = received.get(timeout=20)
    assert (topic, document["code"]) == ("/update/rejected", 400)


def test_answers_are_taken_for_requests(client: Client) -> None:
    own = client("own")
    received = listen(own)
    publish(own, "/get/accepted", b"{}")
    publish(own, "/name/get")
    publish(own, "/get")
    assert received.get(timeout=20)[0] == "/get/rejected"
    assert received.empty()
