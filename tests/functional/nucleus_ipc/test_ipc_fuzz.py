"""Frames that are none: whoever sends them loses the connection; the nucleus and everybody else go on.

``VEDETTE_FUZZ_FRAMES`` says how many damaged frames are sent (default 400); 10,000 take about a minute.
"""

import json
import os
import queue
import random
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from awsiot.greengrasscoreipc.model import BinaryMessage, PublishMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vedette.nucleus.ipc import JAVA, LITE, Personality
from vedette.nucleus.ipc.eventstream import Message, encode

FRAMES = int(os.environ.get("VEDETTE_FUZZ_FRAMES", "400"))
PUBLISH = encode(
    Message(
        {
            ":content-type": "application/json",
            "service-model-type": "aws.greengrass#PublishToTopicRequest",
            ":message-type": 0,
            ":message-flags": 0,
            ":stream-id": 1,
            "operation": "aws.greengrass#PublishToTopic",
        },
        b'{"topic":"t/x","publishMessage":{"binaryMessage":{"message":"aGk="}}}',
    )
)


@pytest.fixture(params=[JAVA, LITE], ids=lambda personality: personality.name)
def personality(request: pytest.FixtureRequest) -> Personality:
    """Both nuclei."""
    chosen: Personality = request.param
    return chosen


class Peer:
    """A connection of somebody whose frames are not to be trusted."""

    def __init__(self, path: Any, token: str | None) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        if token is not None:
            connect = Message(
                {":version": "0.1.0", ":message-type": 4, ":message-flags": 0, ":stream-id": 0},
                b'{"authToken":"%s"}' % token.encode(),
            )
            self.socket.sendall(encode(connect))
            assert len(self.socket.recv(4096)) == 71

    def send(self, data: bytes) -> None:
        """Send bytes and nothing after them; wait until the nucleus has done with them."""
        try:
            self.socket.sendall(data)
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        finally:
            self.socket.close()


def resealed(data: bytes) -> bytes:
    """Return bytes with lengths and checksums put right, so that what is wrong lies deeper."""
    if len(data) < 16:
        return data
    headers = struct.unpack(">I", data[4:8])[0] % (len(data) - 15)
    lengths = struct.pack(">II", len(data), headers)
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + data[12:-4]
    return body + struct.pack(">I", zlib.crc32(body))


def damaged(generator: random.Random, count: int) -> Iterator[bytes]:
    """Give out frames with bits turned, parts cut out, doubled or put in; half of them with good checksums."""
    for number in range(count):
        data = bytearray(PUBLISH)
        for _ in range(generator.randint(1, 8)):
            at = generator.randrange(len(data))
            match generator.randrange(4):
                case 0:
                    data[at] ^= 1 << generator.randrange(8)
                case 1:
                    del data[at : at + generator.randint(1, 20)]
                case 2:
                    data[at:at] = generator.randbytes(generator.randint(1, 20))
                case _:
                    data[at:at] = data[at : at + 20]
            if len(data) < 20:
                break
        yield resealed(bytes(data)) if number % 2 else bytes(data)


def internal_faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the nucleus logged with a traceback: faults of its own."""
    return [record.getMessage() for record in caplog.records if record.exc_info]


@pytest.mark.timeout(600)
def test_damaged_frame_costs_others_their_nucleus(nucleus: Any, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = client("good")
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    good.subscribe_to_topic(topic="t/y", on_stream_event=lambda event: received.put(event.binary_message.message))

    def goes_on() -> None:
        message = PublishMessage(binary_message=BinaryMessage(message=b"still here"))
        good.publish_to_topic(topic="t/y", publish_message=message)
        assert received.get(timeout=20) == b"still here"

    token = nucleus.token("bad")
    generator = random.Random(20260531)
    for number, data in enumerate(damaged(generator, FRAMES)):
        Peer(nucleus.socket_path, token if number % 3 else None).send(data)
        if number % 100 == 0:
            goes_on()
    goes_on()
    assert internal_faults(caplog) == []


HEADERS = st.dictionaries(
    st.sampled_from([":message-type", ":message-flags", ":stream-id", ":version", "operation", "service-model-type"])
    | st.text(min_size=1, max_size=20),
    st.integers(-(2**31), 2**31 - 1)
    | st.sampled_from(["aws.greengrass#PublishToTopic", "aws.greengrass#GetConfiguration", "0.1.0", ""])
    | st.text(max_size=30)
    | st.binary(max_size=30)
    | st.booleans(),
    max_size=8,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["topic", "publishMessage", "jsonMessage", "binaryMessage", "message", "keyPath", "state"])
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
OPERATIONS = st.sampled_from(
    [
        "PublishToTopic", "SubscribeToTopic", "GetConfiguration", "UpdateConfiguration", "UpdateState",
        "SubscribeToConfigurationUpdate", "GetSecretValue", "GetThingShadow", "UpdateThingShadow",
        "ListNamedShadowsForThing", "PublishToIoTCore", "SubscribeToIoTCore", "PutComponentMetric",
        "SendConfigurationValidityReport", "DeferComponentUpdate", "ValidateAuthorizationToken",
    ]
)  # fmt: skip


@pytest.mark.timeout(600)
@settings(
    max_examples=max(FRAMES // 4, 25),
    deadline=None,
    derandomize=FRAMES <= 400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    frames=st.lists(st.tuples(HEADERS, st.binary(max_size=60)), max_size=4),
    calls=st.lists(st.tuples(OPERATIONS, JSON), max_size=4),
)
def test_made_up_frames_and_requests_cost_others_their_nucleus(
    nucleus: Any,
    caplog: pytest.LogCaptureFixture,
    frames: list[tuple[dict[str, Any], bytes]],
    calls: list[tuple[str, Any]],
) -> None:

    token = nucleus.token("bad")
    requests = b"".join(
        encode(
            Message(
                {
                    ":message-type": 0,
                    ":message-flags": 0,
                    ":stream-id": number,
                    "operation": f"aws.greengrass#{operation}",
                },
                json.dumps(body).encode(),
            )
        )
        for number, (operation, body) in enumerate(calls, 1)
    )
    Peer(nucleus.socket_path, token).send(requests)
    Peer(nucleus.socket_path, token).send(b"".join(encode(Message(headers, payload)) for headers, payload in frames))
    good = Peer(nucleus.socket_path, token)
    good.socket.sendall(PUBLISH)
    assert good.socket.recv(4096)
    good.socket.close()
    assert internal_faults(caplog) == []
