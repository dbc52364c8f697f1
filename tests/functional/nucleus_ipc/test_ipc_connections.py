"""Connections: who gets in, what a broken or slow client costs the others, what stays in memory."""

import base64
import contextlib
import json
import queue
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awsiot.eventstreamrpc import AccessDeniedError
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import BinaryMessage, PublishMessage

from vedette.nucleus.ipc.errors import IpcError
from vedette.nucleus.ipc.eventstream import Decoder, Message, encode
from vedette.nucleus.ipc.outbox import EVENT_MESSAGES

Client = Callable[..., GreengrassCoreIPCClientV2]
CONNECT: dict[str, Any] = {":version": "0.1.0", ":message-type": 4, ":message-flags": 0, ":stream-id": 0}


class Raw:
    """A client that speaks the protocol by hand."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self._decoder = Decoder()

    def send(self, headers: dict[str, Any], payload: bytes = b"") -> None:
        self.socket.sendall(encode(Message(headers, payload)))

    def receive(self) -> Message | None:
        """Return the next message, None when the server has closed the connection."""
        while True:
            message = self._decoder.next_event()
            if message is not None:
                return message
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._decoder.receive_data(data)

    def connect(self, token: str) -> Message | None:
        self.send(CONNECT, json.dumps({"authToken": token}).encode())
        return self.receive()

    def request(self, stream: int, operation: str, request: Any) -> None:
        headers = {":message-type": 0, ":message-flags": 0, ":stream-id": stream, ":content-type": "application/json"}
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.send({**headers, "operation": operation, "service-model-type": f"{operation}Request"}, payload)


@pytest.fixture
def raw(nucleus: Any) -> Iterator[Callable[[], Raw]]:
    with contextlib.ExitStack() as stack:

        def make() -> Raw:
            made = Raw(nucleus.socket_path)
            stack.callback(made.socket.close)
            return made

        yield make


def publish(client: GreengrassCoreIPCClientV2, topic: str, payload: bytes = b"") -> None:
    client.publish_to_topic(topic=topic, publish_message=PublishMessage(binary_message=BinaryMessage(message=payload)))


def headers_of(message: Message | None) -> dict[str, Any]:
    assert message is not None
    return dict(message.headers)


def test_wrong_token_gets_in(client: Client) -> None:
    with pytest.raises(AccessDeniedError):
        client("own", token="AAAAAAAAAAAAAAAA")


def test_stale_token_gets_in(client: Client, nucleus: Any) -> None:
    stale = nucleus.token("own")
    first = client("own", token=stale)
    fresh = nucleus.token("own")
    with pytest.raises(AccessDeniedError):
        client("own", token=stale)
    with pytest.raises(RuntimeError):
        publish(first, "t")
    publish(client("own", token=fresh), "t")
    nucleus.on_loop(lambda: nucleus.server.tokens.revoke("own"))
    with pytest.raises(AccessDeniedError):
        client("own", token=fresh)


def test_refusal_is_not_a_frame(raw: Callable[[], Raw]) -> None:
    refused = raw()
    assert headers_of(refused.connect("wrong")) == {":message-type": 5, ":message-flags": 0, ":stream-id": 0}
    assert refused.receive() is None


def test_other_protocol_version_gets_in(raw: Callable[[], Raw], nucleus: Any) -> None:
    other = raw()
    payload = json.dumps({"authToken": nucleus.token("own")}).encode()
    other.send({**CONNECT, ":version": "0.2.0"}, payload)
    assert headers_of(other.receive())[":message-flags"] == 0


def test_frames_differ_from_a_real_nucleus(raw: Callable[[], Raw], nucleus: Any) -> None:
    own = raw()
    assert headers_of(own.connect(nucleus.token("own"))) == {":message-type": 5, ":message-flags": 1, ":stream-id": 0}
    own.request(1, "aws.greengrass#SubscribeToTopic", {"topic": "test/x", "receiveMode": "RECEIVE_ALL_MESSAGES"})
    answer = own.receive()
    assert headers_of(answer) == {
        ":message-type": 0,
        ":message-flags": 0,
        ":stream-id": 1,
        ":content-type": "application/json",
        "service-model-type": "aws.greengrass#SubscribeToTopicResponse",
    }
    own.request(
        2,
        "aws.greengrass#PublishToTopic",
        {"topic": "test/x", "publishMessage": {"binaryMessage": {"message": "aGk="}}},
    )
    replies = {headers_of(message)[":stream-id"]: message for message in (own.receive(), own.receive())}
    assert headers_of(replies[2])[":message-flags"] == 2
    assert replies[1] is not None
    assert headers_of(replies[1])["service-model-type"] == "aws.greengrass#SubscriptionResponseMessage"
    assert json.loads(replies[1].payload) == {"binaryMessage": {"message": "aGk=", "context": {"topic": "test/x"}}}


def test_ping_stays_unanswered(raw: Callable[[], Raw], nucleus: Any) -> None:
    own = raw()
    own.connect(nucleus.token("own"))
    own.send({":message-type": 2, ":message-flags": 0, ":stream-id": 0, "mine": "x"}, b"data")
    answer = own.receive()
    assert headers_of(answer) == {":message-type": 3, ":message-flags": 0, ":stream-id": 0, "mine": "x"}
    assert answer is not None
    assert answer.payload == b"data"


@pytest.mark.parametrize(
    ("operation", "request_body", "expected", "body"),
    [
        ("aws.greengrass#ListComponents", {}, "aws.greengrass#ServiceError", "is not supported by Greengrass"),
        ("aws.greengrass#Nonsense", {}, None, "Unsupported Operation"),
        ("PublishToTopic", {}, None, "Unsupported Operation"),
        ("aws.greengrass#GetConfiguration", b"{", None, "InternalServerError"),
        ("aws.greengrass#GetConfiguration", [], None, "InternalServerError"),
        ("aws.greengrass#GetConfiguration", {"keyPath": "a"}, None, "InternalServerError"),
        ("aws.greengrass#GetConfiguration", b"[" * 100_000, None, "InternalServerError"),
    ],
)
def test_refused_request_ends_the_connection(
    raw: Callable[[], Raw], nucleus: Any, operation: str, request_body: Any, expected: str | None, body: str
) -> None:
    own = raw()
    own.connect(nucleus.token("own"))
    own.request(1, operation, request_body)
    answer = own.receive()
    headers = headers_of(answer)
    assert (headers[":message-type"], headers[":message-flags"]) == (1, 2)
    assert headers.get("service-model-type") == expected
    assert answer is not None
    assert body in answer.payload.decode()
    own.request(2, "aws.greengrass#GetConfiguration", {})
    assert headers_of(own.receive())["service-model-type"] == "aws.greengrass#GetConfigurationResponse"


def test_error_lacks_the_message_that_clients_read(raw: Callable[[], Raw], nucleus: Any) -> None:
    own = raw()
    own.connect(nucleus.token("own"))
    own.request(1, "aws.greengrass#GetConfiguration", {"keyPath": ["none"]})
    answer = own.receive()
    assert answer is not None
    assert json.loads(answer.payload) == {
        "_service": "aws.greengrass#GreengrassCoreIPC",
        "_message": "Key not found",
        "_errorCode": "ResourceNotFoundError",
        "message": "Key not found",
    }


def break_crc(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


GOOD = encode(Message({":message-type": 2, ":message-flags": 0, ":stream-id": 0}))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        break_crc(GOOD),
        encode(Message({":message-type": 0, ":message-flags": 0, ":stream-id": 7, "operation": "aws.greengrass#X"})),
        encode(Message({":message-type": 0, ":message-flags": 0, ":stream-id": 1})),
        encode(Message({":message-type": 5, ":message-flags": 0, ":stream-id": 0, ":version": "0.1.0"})),
        encode(Message({":message-type": "0"})),
        encode(Message({})),
        random.Random(1).randbytes(4096),
    ],
    ids=["http", "checksum", "stream", "operation", "answer", "type", "empty", "noise"],
)
def test_malformed_frame_ends_another_connection(
    raw: Callable[[], Raw], client: Client, nucleus: Any, data: bytes
) -> None:
    own = client("own")
    heard: queue.Queue[bytes] = queue.Queue()
    own.subscribe_to_topic(topic="t", on_stream_event=lambda event: heard.put(event.binary_message.message))
    before, after = raw(), raw()
    before.socket.sendall(data)
    after.connect(nucleus.token("other"))
    after.socket.sendall(data)
    assert before.receive() is None
    assert after.receive() is None
    publish(own, "t", b"still here")
    assert heard.get(timeout=20) == b"still here"


def test_stranger_fills_the_memory(raw: Callable[[], Raw]) -> None:
    stranger = raw()
    head = encode(Message(CONNECT, bytes(100_000)))
    stranger.socket.sendall(head[:64])
    assert stranger.receive() is None


def test_slow_subscriber_delays_the_others(raw: Callable[[], Raw], client: Client, nucleus: Any) -> None:
    slow = raw()
    slow.connect(nucleus.token("slow"))
    slow.request(1, "aws.greengrass#SubscribeToTopic", {"topic": "t"})
    slow.receive()
    heard: queue.Queue[int] = queue.Queue()
    reader, writer = client("reader"), client("writer")
    reader.subscribe_to_topic(topic="t", on_stream_event=lambda event: heard.put(len(event.binary_message.message)))
    count = EVENT_MESSAGES + 600
    for number in range(count):
        publish(writer, "t", number.to_bytes(4, "big") + bytes(5000))
    assert [heard.get(timeout=20) for _ in range(count)] == [5004] * count
    # What the slow one gets when it reads again: what was on its way, then the newest, in order.
    publish(writer, "t", count.to_bytes(4, "big"))
    assert heard.get(timeout=20) == 4
    dropped = nucleus.on_loop(lambda: nucleus.server.dropped)
    assert dropped > 0
    numbers: list[int] = []
    while not numbers or numbers[-1] != count:
        message = slow.receive()
        assert message is not None
        payload = json.loads(message.payload)["binaryMessage"]["message"]
        numbers.append(int.from_bytes(base64.b64decode(payload)[:4], "big"))
    assert numbers == sorted(numbers)
    assert len(numbers) == count + 1 - dropped


def test_client_that_never_reads_answers_fills_the_memory(raw: Callable[[], Raw], client: Client, nucleus: Any) -> None:
    deaf = raw()
    deaf.connect(nucleus.token("deaf", big="x" * 100_000))
    deaf.socket.settimeout(0.3)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 100_000:
            sent += 1
            deaf.request(sent, "aws.greengrass#GetConfiguration", {})
    publish(client("own"), "t")
    deaf.socket.settimeout(20)
    assert headers_of(deaf.receive())[":stream-id"] == 1


def test_subscriptions_of_a_client_that_is_gone_stay(client: Client, nucleus: Any) -> None:
    own = client("own", camera={"fps": 5})
    own.subscribe_to_topic(topic="t", on_stream_event=lambda _event: None)
    own.subscribe_to_configuration_update(key_path=["camera"], on_stream_event=lambda _event: None)
    assert nucleus.server.broker.subscribers == 2
    own.close().result(5)
    gone = threading.Event()
    while not nucleus.on_loop(lambda: not nucleus.server._connections):
        assert not gone.wait(0.01)
    assert nucleus.server.broker.subscribers == 1
    assert not nucleus.configuration._listeners


def test_socket_path_that_is_too_long_fails_strangely(nucleus: Any) -> None:
    nucleus.server.socket_path = nucleus.folder / ("x" * 100)
    with pytest.raises(IpcError, match="the limit is 107; choose a shorter root folder"):
        nucleus.on_loop_async(nucleus.server.start())


def test_second_nucleus_takes_the_socket_over(nucleus: Any) -> None:
    with pytest.raises(IpcError, match="another nucleus listens on"):
        nucleus.on_loop_async(nucleus.server.start())


def test_stale_socket_or_other_file_is_in_the_way(nucleus: Any) -> None:
    nucleus.on_loop_async(nucleus.server.stop())
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(nucleus.socket_path))
    left_over.close()
    nucleus.on_loop_async(nucleus.server.start())
    assert nucleus.socket_path.stat().st_mode & 0o777 == 0o666
    nucleus.on_loop_async(nucleus.server.stop())
    nucleus.socket_path.write_text("precious")
    with pytest.raises(IpcError, match="is no socket; move it away"):
        nucleus.on_loop_async(nucleus.server.start())
    assert nucleus.socket_path.read_text() == "precious"
