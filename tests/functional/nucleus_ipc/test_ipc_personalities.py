"""One client script on both nuclei: what the Java nucleus and nucleus lite answer differently, they answer so here."""

import json
import queue
import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import BinaryMessage, JsonMessage, PublishMessage

from vedette.nucleus.ipc import JAVA, LITE, Personality
from vedette.nucleus.ipc.eventstream import Decoder, Message, encode

Client = Callable[..., GreengrassCoreIPCClientV2]
PUBSUB = {"aws.greengrass.ipc.pubsub": {"p": {"operations": ["*"], "resources": ["t/*", "other"]}}}


@pytest.fixture(params=[JAVA, LITE], ids=["java", "lite"])
def personality(request: pytest.FixtureRequest) -> Personality:
    found: Personality = request.param
    return found


def binary(payload: bytes) -> PublishMessage:
    return PublishMessage(binary_message=BinaryMessage(message=payload))


def structured(document: Any) -> PublishMessage:
    return PublishMessage(json_message=JsonMessage(message=document))


def listen(client: GreengrassCoreIPCClientV2, topic: str, mode: str | None = None) -> "queue.Queue[Any]":
    received: queue.Queue[Any] = queue.Queue()

    def hear(event: Any) -> None:
        received.put((event.binary_message or event.json_message).message)

    client.subscribe_to_topic(topic=topic, receive_mode=mode, on_stream_event=hear)
    return received


def outcome(call: Callable[[], Any]) -> Any:
    """Return "ok", or the name and message of the error."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 -- whatever it is, is the outcome
        return type(error).__name__, getattr(error, "message", None)
    return "ok"


LATER = datetime.now(timezone.utc) + timedelta(days=1)
EARLIER = datetime.fromtimestamp(0, timezone.utc)
MATRIX: dict[str, tuple[Callable[[GreengrassCoreIPCClientV2], Any], Any, Any]] = {
    "publish": (lambda c: c.publish_to_topic(topic="t/x", publish_message=binary(b"1")), "ok", "ok"),
    "publish to a wildcard": (
        lambda c: c.publish_to_topic(topic="t/#", publish_message=binary(b"1")),
        ("InvalidArgumentsError", "Publish topic must not contain a wildcard."),
        "ok",
    ),
    "publish without policy": (
        lambda c: c.publish_to_topic(topic="no", publish_message=binary(b"1")),
        (
            "UnauthorizedError",
            "Principal own is not authorized to perform aws.greengrass.ipc.pubsub:aws.greengrass#PublishToTopic "
            "on resource no",
        ),
        ("UnauthorizedError", None),
    ),
    "question mark": (
        lambda c: c.publish_to_topic(topic="t/?", publish_message=binary(b"1")),
        "ok",
        ("UnauthorizedError", None),
    ),
    "long topic": (
        lambda c: c.publish_to_topic(topic="t/" + "x" * 255, publish_message=binary(b"1")),
        "ok",
        ("ServiceError", None),
    ),
    "long filter": (
        lambda c: c.subscribe_to_topic(topic="t/" + "x" * 255, on_stream_event=print),
        "ok",
        ("ServiceError", None),
    ),
    "empty message": (
        lambda c: c.publish_to_topic(topic="t/x", publish_message=PublishMessage()),
        "ok",
        ("ServiceError", None),
    ),
    "missing key": (
        lambda c: c.get_configuration(key_path=["nothing"]),
        ("ResourceNotFoundError", "Key not found"),
        ("ResourceNotFoundError", None),
    ),
    "stale configuration": (
        lambda c: c.update_configuration(key_path=[], timestamp=EARLIER, value_to_merge={"fps": 9}),
        (
            "FailedUpdateConditionCheckError",
            "Proposed timestamp is older than the config's latest modified timestamp",
        ),
        "ok",
    ),
    "access control": (
        lambda c: c.update_configuration(key_path=["accessControl"], timestamp=LATER, value_to_merge={"a": 1}),
        (
            "InvalidArgumentsError",
            "Config update is not allowed for following fields [accessControl]",
        ),
        ("InvalidArgumentsError", None),
    ),
    "state": (lambda c: c.update_state(state="RUNNING"), "ok", "ok"),
    "IoT Core": (lambda c: c.publish_to_iot_core(topic_name="t", qos="1", payload=b""), "ok", "ok"),
    "IoT Core without QoS": (
        lambda c: c.publish_to_iot_core(topic_name="t", payload=b""),
        ("InvalidArgumentsError", "QoS is required"),
        "ok",
    ),
    "secret": (
        lambda c: c.get_secret_value(secret_id="s"),
        ("ResourceNotFoundError", "Secret not configured s"),
        ("ServiceError", None),
    ),
    "shadow": (
        lambda c: c.get_thing_shadow(thing_name="T", shadow_name=""),
        ("ResourceNotFoundError", "No shadow found"),
        ("ServiceError", None),
    ),
    "update notice": (lambda c: c.subscribe_to_component_updates(on_stream_event=print), "ok", ("ServiceError", None)),
    "validation": (
        lambda c: c.subscribe_to_validate_configuration_updates(on_stream_event=print),
        "ok",
        ("ServiceError", None),
    ),
    "client device": (
        lambda c: c.subscribe_to_certificate_updates(on_stream_event=print),
        (
            "ServiceError",
            "Operation aws.greengrass#SubscribeToCertificateUpdates is not supported by Greengrass",
        ),
        ("ServiceError", None),
    ),
}


@pytest.mark.parametrize("what", MATRIX)
def test_answer_is_the_other_nucleus_s(client: Client, personality: Personality, what: str) -> None:
    work, java, lite = MATRIX[what]
    own = client("own", {**PUBSUB, **EVERYTHING_ELSE}, fps=10)
    expected = lite if personality.lite else java
    found = outcome(lambda: work(own))
    if what == "access control" and not personality.lite:
        assert found[0] == expected[0]  # the words are checked with the other tests of configuration
        return
    assert found == expected


EVERYTHING_ELSE = {
    service: {"p2": {"operations": ["*"], "resources": ["*"]}}
    for service in ("aws.greengrass.ipc.mqttproxy", "aws.greengrass.SecretManager", "aws.greengrass.ShadowManager")
}


def test_own_messages_follow_the_other_nucleus(client: Client, personality: Personality) -> None:
    own = client("own")
    received = listen(own, "t/#", "RECEIVE_MESSAGES_FROM_OTHERS")
    own.publish_to_topic(topic="t/x", publish_message=binary(b"own"))
    client("other").publish_to_topic(topic="t/x", publish_message=binary(b"other"))
    expected = [b"own", b"other"] if personality.lite else [b"other"]
    assert [received.get(timeout=20) for _ in expected] == expected


def test_topics_match_as_on_the_other_nucleus(client: Client, personality: Personality) -> None:
    own = client("own")
    received = listen(own, "t/#", "RECEIVE_ALL_MESSAGES")
    own.publish_to_topic(topic="t", publish_message=binary(b"parent"))
    own.publish_to_topic(topic="t/x", publish_message=binary(b"child"))
    assert received.get(timeout=20) == (b"parent" if personality.lite else b"child")


def test_numbers_of_a_structured_message_keep_their_kind(client: Client, personality: Personality) -> None:
    own = client("own")
    received = listen(own, "t/x")
    own.publish_to_topic(topic="t/x", publish_message=structured({"n": 1}))
    assert repr(received.get(timeout=20)["n"]) == ("1" if personality.lite else "1.0")


@pytest.mark.parametrize(
    ("document", "lost"),
    [
        ({"list": list(range(40))}, False),
        ({"list": list(range(43))}, True),
        ({str(n): n for n in range(23)}, False),
        ({str(n): n for n in range(24)}, True),
    ],
)
def test_large_structured_message_arrives_on_lite(
    client: Client, personality: Personality, document: dict[str, Any], lost: bool
) -> None:
    own = client("own")
    received = listen(own, "t/x")
    own.publish_to_topic(topic="t/x", publish_message=structured(document))  # acknowledged by both
    own.publish_to_topic(topic="t/x", publish_message=binary(b"end"))
    if lost and personality.lite:
        # The real one breaks the subscription over it: nothing comes any more, not even what is small.
        fresh = listen(own, "t/x")
        own.publish_to_topic(topic="t/x", publish_message=binary(b"fresh"))
        assert fresh.get(timeout=20) == b"fresh"
        assert received.empty()
    else:
        assert received.get(timeout=20) != b"end"


def test_packet_limit_is_the_other_nucleus_s(client: Client, personality: Personality) -> None:
    own, reader = client("own"), client("reader")
    received = listen(reader, "t/x")
    own.publish_to_topic(topic="t/x", publish_message=binary(bytes(7_299)))
    assert len(received.get(timeout=20)) == 7_299
    found = outcome(lambda: own.publish_to_topic(topic="t/x", publish_message=binary(bytes(8_000))))
    if personality.lite:
        assert found != "ok"
        assert outcome(lambda: own.publish_to_topic(topic="t/x", publish_message=binary(b""))) != "ok"
        reader.publish_to_topic(topic="t/x", publish_message=binary(b"others go on"))
        assert received.get(timeout=20) == b"others go on"
    else:
        assert len(received.get(timeout=20)) == 8_000


class Raw:
    """A client that speaks frames."""

    def __init__(self, nucleus: Any) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(nucleus.socket_path))
        self._decoder = Decoder()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, headers: dict[str, Any], payload: bytes = b"") -> None:
        self._socket.sendall(encode(Message({":message-flags": 0, ":stream-id": 0, **headers}, payload)))

    def connect(self, token: str) -> "Message | None":
        body = json.dumps({"authToken": token}).encode()
        self.send({":version": "0.1.0", ":message-type": 4}, body)
        return self.receive()

    def request(self, stream: int, operation: str, body: dict[str, Any]) -> "Message | None":
        headers = {":message-type": 0, ":stream-id": stream, "operation": f"aws.greengrass#{operation}"}
        self.send(headers, json.dumps(body).encode())
        return self.receive()

    def receive(self) -> "Message | None":
        """Return the next message, None at the end of the connection."""
        while True:
            message = self._decoder.next_event()
            if message is not None:
                return message
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._decoder.receive_data(data)


def test_frames_are_the_other_nucleus_s(nucleus: Any, personality: Personality) -> None:
    with Raw(nucleus) as own:
        own.connect(nucleus.token("own", fps=10))
        answer = own.request(1, "GetConfiguration", {"keyPath": ["fps"]})
        assert answer is not None
        assert answer.headers[":message-flags"] == (0 if personality.lite else 2)
        assert answer.payload == b'{"componentName":"own","value":{"fps":10}}'
        refused = own.request(2, "GetConfiguration", {"keyPath": ["no"]})
        assert refused is not None
        body = json.loads(refused.payload)
        if personality.lite:
            assert body == {"_message": "Key not found.", "_errorCode": "ResourceNotFoundError"}
        else:
            assert body["message"] == body["_message"] == "Key not found"
        unknown = own.request(3, "GetSecretValue", {})
        assert unknown is not None
        if personality.lite:
            assert json.loads(unknown.payload) == {"_message": "", "_errorCode": "ServiceError"}


def test_refused_connection_ends_as_on_the_other_nucleus(nucleus: Any, personality: Personality) -> None:
    with Raw(nucleus) as own:
        answer = own.connect("nobody's")
        if personality.lite:
            assert answer is None
        else:
            assert answer is not None
            assert answer.headers[":message-flags"] == 0


def test_ping_and_stream_numbers_count_as_on_the_other_nucleus(nucleus: Any, personality: Personality) -> None:
    with Raw(nucleus) as own:
        own.connect(nucleus.token("own"))
        assert (own.request(7, "GetConfiguration", {}) is None) is not personality.lite
    with Raw(nucleus) as own:
        own.connect(nucleus.token("own"))
        own.send({":message-type": 2})
        assert (own.receive() is None) is personality.lite


def test_connections_are_limited_as_on_the_other_nucleus(nucleus: Any, personality: Personality) -> None:
    token = nucleus.token("own")
    open_ = [Raw(nucleus) for _ in range(50)]
    assert all(raw.connect(token) is not None for raw in open_)
    with Raw(nucleus) as one_more:
        try:
            answer = one_more.connect(token)
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        assert (answer is None) is personality.lite
    for raw in open_:
        raw.__exit__()
