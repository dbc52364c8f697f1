"""What is tried on a nucleus. Each case has a connection of its own; what is answered is compared, not told here.

The component that this runs as needs the configuration and the policies of ``recipe.yaml``. Sources of what is tried:
the SDK clients' model, the Java nucleus's ``ipc`` and ``builtin/services`` packages, aws-greengrass-lite
``modules/ggipcd``.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Callable, List, NamedTuple, Sequence

from frames import encode
from session import MESSAGE, PING, Session

NAME = "vedette.Conformance"
NEIGHBOUR = "vedette.ConformanceNeighbour"


class Case(NamedTuple):
    """Something to try: a name, and what is done on a connection."""

    name: str
    play: Callable[[Session], None]
    connected: bool = True


CASES: List[Case] = []


def case(name: str, *, connected: bool = True) -> Callable[[Callable[[Session], None]], Callable[[Session], None]]:
    """Add a case."""

    def add(play: Callable[[Session], None]) -> Callable[[Session], None]:
        CASES.append(Case(name, play, connected))
        return play

    return add


def calls(name: str, *requests: Sequence[Any]) -> None:
    """Add a case that makes one call after the other: (operation, request)."""

    def play(session: Session) -> None:
        for operation, request in requests:
            session.call(operation, request)

    CASES.append(Case(name, play))


def b64(text: str) -> str:
    """Return a text's bytes in base64."""
    return base64.b64encode(text.encode()).decode()


def json_message(topic: str, message: Any) -> Sequence[Any]:
    """Return a publish of a structured message."""
    return ("PublishToTopic", {"topic": topic, "publishMessage": {"jsonMessage": {"message": message}}})


def binary_message(topic: str, message: str) -> Sequence[Any]:
    """Return a publish of bytes."""
    return ("PublishToTopic", {"topic": topic, "publishMessage": {"binaryMessage": {"message": message}}})


def subscribe(topic: str, **more: Any) -> Sequence[Any]:
    """Return a subscription."""
    return ("SubscribeToTopic", {"topic": topic, **more})


# -- the connection


@case("connect: a valid token", connected=False)
def _(session: Session) -> None:
    session.connect()


@case("connect: a token that nobody has", connected=False)
def _(session: Session) -> None:
    session.connect(token="AAAAAAAAAAAAAAAA")


@case("connect: an empty token", connected=False)
def _(session: Session) -> None:
    session.connect(token="")


@case("connect: another version", connected=False)
def _(session: Session) -> None:
    session.connect(version="0.2.0")


@case("connect: a payload that is not JSON", connected=False)
def _(session: Session) -> None:
    session.connect(body=b"{")


@case("connect: a payload without a token", connected=False)
def _(session: Session) -> None:
    session.connect(body=b"{}")


@case("connect: a request comes first", connected=False)
def _(session: Session) -> None:
    session.raw(Session.request("GetConfiguration", 1, b"{}"), 1)


@case("connect: twice")
def _(session: Session) -> None:
    session.connect()


@case("connect: bytes that are no frame", connected=False)
def _(session: Session) -> None:
    session.raw(b"GET / HTTP/1.1\r\n\r\n")


@case("frame: a wrong checksum at its end")
def _(session: Session) -> None:
    frame = Session.request("GetConfiguration", 1, b"{}")
    session.raw(frame[:-1] + bytes([frame[-1] ^ 1]), 1)


@case("ping")
def _(session: Session) -> None:
    session.raw(encode({":message-type": PING, ":message-flags": 0, ":stream-id": 0, "mine": "x"}, b"hello"))


@case("stream: an operation that nobody has")
def _(session: Session) -> None:
    session.call("BrewCoffee", {})


@case("stream: a request without an operation")
def _(session: Session) -> None:
    session.raw(encode({":message-type": MESSAGE, ":message-flags": 0, ":stream-id": 1}, b"{}"), 1)


@case("stream: a request that is not JSON")
def _(session: Session) -> None:
    session.call("PublishToTopic", body=b"{")


@case("stream: a request that is a list")
def _(session: Session) -> None:
    session.call("PublishToTopic", [])


@case("stream: a number that leaves one out")
def _(session: Session) -> None:
    session.call("GetConfiguration", {"keyPath": ["text"]}, stream=1)
    session.call("GetConfiguration", {"keyPath": ["text"]}, stream=3)


@case("stream: a message on stream 0")
def _(session: Session) -> None:
    session.call("GetConfiguration", {"keyPath": ["text"]}, stream=0)


@case("stream: it is ended, then used again")
def _(session: Session) -> None:
    stream = session.call(*subscribe("conformance/a"))
    session.terminate(stream)
    session.call(*json_message("conformance/a", {"n": 1}))


# -- publish and subscribe

calls(
    "pubsub: structured messages",
    subscribe("conformance/a"),
    json_message("conformance/a", {"n": 1, "s": "é", "f": 1.5, "big": 12345678901, "none": None, "yes": True}),
    json_message("conformance/a", {"list": [1, "two", {"three": 3}], "deep": {"er": {}}}),
    json_message("conformance/a", {}),
)
calls("pubsub: bytes", subscribe("conformance/a"), binary_message("conformance/a", b64("hi")))
calls("pubsub: no bytes", subscribe("conformance/a"), binary_message("conformance/a", ""))
calls("pubsub: bytes that are not base64", subscribe("conformance/a"), binary_message("conformance/a", "§§"))
calls(
    "pubsub: structured messages that are no objects",
    subscribe("conformance/a"),
    json_message("conformance/a", [1, 2]),
    json_message("conformance/a", "text"),
    json_message("conformance/a", 7),
)
calls("pubsub: nobody listens", json_message("conformance/nobody", {"n": 1}))
calls(
    "pubsub: filters",
    subscribe("conformance/#"),
    subscribe("conformance/+/x"),
    json_message("conformance/a", {"n": 1}),
    json_message("conformance/a/x", {"n": 2}),
    json_message("conformance/a/b/x", {"n": 3}),
)
calls(
    "pubsub: its own messages, when it asks for all",
    subscribe("conformance/#", receiveMode="RECEIVE_ALL_MESSAGES"),
    json_message("conformance/a", {"n": 1}),
)
calls(
    "pubsub: its own messages, when it asks for those of others",
    subscribe("conformance/a", receiveMode="RECEIVE_MESSAGES_FROM_OTHERS"),
    json_message("conformance/a", {"n": 1}),
)
calls("pubsub: a receive mode that nobody has", subscribe("conformance/a", receiveMode="SOME"))
calls(
    "pubsub: wildcards in the topic of a message",
    json_message("conformance/#", {}),
    json_message("conformance/+", {}),
    json_message("conformance/*", {}),
)
calls(
    "pubsub: what no policy allows",
    subscribe("forbidden/a"),
    json_message("forbidden/a", {}),
    subscribe("conformance"),
    subscribe("#"),
    json_message("a//b", {}),
    json_message("a/b", {}),
    json_message("literal/x", {}),
)
calls("pubsub: a question mark in a topic", subscribe("conformance/?"), json_message("conformance/?", {}))
calls(
    "pubsub: a topic of 256 and of 257 bytes",
    subscribe("conformance/" + "t" * 244),
    subscribe("conformance/" + "t" * 245),
    json_message("conformance/" + "u" * 244, {}),
    json_message("conformance/" + "u" * 245, {}),
)
calls("pubsub: no topic", subscribe(""), ("SubscribeToTopic", {}), json_message("", {}), ("PublishToTopic", {}))
calls(
    "pubsub: no message",
    ("PublishToTopic", {"topic": "conformance/a"}),
    ("PublishToTopic", {"topic": "conformance/a", "publishMessage": {}}),
    ("PublishToTopic", {"topic": "conformance/a", "publishMessage": {"jsonMessage": {}}}),
    ("PublishToTopic", {"topic": "conformance/a", "publishMessage": {"binaryMessage": {}}}),
)
calls(
    "pubsub: values of other types",
    ("PublishToTopic", {"topic": 5, "publishMessage": {"jsonMessage": {"message": {}}}}),
    ("PublishToTopic", {"topic": "conformance/a", "publishMessage": "x"}),
    ("SubscribeToTopic", {"topic": ["conformance/a"]}),
)
calls(
    "pubsub: keys that nobody has",
    subscribe("conformance/a", other=1),
    ("PublishToTopic", {"topic": "conformance/a", "publishMessage": {"jsonMessage": {"message": {}, "x": 1}}}),
)
TEN_KEYS = {f"k{number}": 1 for number in range(10)}
calls(
    "limits: what a subscriber just has memory for",
    subscribe("conformance/a"),
    json_message("conformance/a", {f"k{number}": 1 for number in range(23)}),
    json_message("conformance/a", {"items": [7] * 42}),
    json_message("conformance/a", {**TEN_KEYS, "items": [7] * 23}),
    json_message("conformance/a", {"items": [{"a": 1}] * 14}),
)
for what, message in {
    "24 keys": {f"k{number}": 1 for number in range(24)},
    "43 items": {"items": [7] * 43},
    "10 keys and 24 items": {**TEN_KEYS, "items": [7] * 24},
    "15 objects": {"items": [{"a": 1}] * 15},
}.items():
    calls(
        f"limits: {what}, and then a small message",
        subscribe("conformance/a"),
        subscribe("conformance/+"),
        json_message("conformance/a", message),
        json_message("conformance/a", {"n": 1}),
    )
calls(
    "limits: memory that the broker and a request have",
    json_message("conformance/a", {f"k{number}": 1 for number in range(101)}),
    json_message("conformance/a", {f"k{number}": 1 for number in range(102)}),
    json_message("conformance/a", {f"k{number}": 1 for number in range(129)}),
    json_message("conformance/a", {f"k{number}": 1 for number in range(130)}),
    json_message("conformance/a", {"items": [7] * 192}),
    json_message("conformance/a", {"items": [7] * 193}),
    json_message("conformance/a", {"items": [7] * 245}),
    json_message("conformance/a", {"items": [7] * 246}),
    ("GetConfiguration", {"keyPath": ["text"], "more": [7] * 260}),
)


def _nested(depth: int) -> Any:
    return {"d": _nested(depth - 1)} if depth else 1


calls(
    "limits: 12, 13 and 14 levels",
    subscribe("conformance/a"),
    json_message("conformance/a", _nested(12)),
    json_message("conformance/a", _nested(13)),
    json_message("conformance/a", _nested(14)),
    json_message("conformance/a", {"n": 1}),
)
calls("limits: 7,000 bytes", subscribe("conformance/a"), binary_message("conformance/a", b64("x" * 7000)))


@case("limits: a packet of 10,012 bytes")
def _(session: Session) -> None:
    stream = session.call(*subscribe("conformance/none"))
    session.raw(_sized(10_012, stream + 1), stream + 1)


@case("limits: a packet of 10,013 bytes")
def _(session: Session) -> None:
    session.raw(_sized(10_013, 1), 1)


def _sized(size: int, stream: int) -> bytes:
    def frame(filler: str) -> bytes:
        request = {"topic": "conformance/a", "publishMessage": {"jsonMessage": {"message": {"s": filler}}}}
        return Session.request("PublishToTopic", stream, json.dumps(request).encode())

    return frame("x" * (size - len(frame(""))))


# -- configuration

calls(
    "configuration: read",
    ("GetConfiguration", {"keyPath": ["text"]}),
    ("GetConfiguration", {"keyPath": ["camera"]}),
    ("GetConfiguration", {"keyPath": ["camera", "fps"]}),
    ("GetConfiguration", {"keyPath": ["camera", "names"]}),
    ("GetConfiguration", {"componentName": NAME, "keyPath": ["camera", "deep", "er"]}),
    ("GetConfiguration", {"keyPath": ["missing"]}),
    ("GetConfiguration", {"keyPath": ["camera", "fps", "further"]}),
    ("GetConfiguration", {"componentName": "conformance.Nobody", "keyPath": ["x"]}),
    ("GetConfiguration", {"componentName": "conformance.Nobody"}),
    ("GetConfiguration", {"keyPath": "camera"}),
    ("GetConfiguration", {"keyPath": [1]}),
)


@case("configuration: changed, and heard of")
def _(session: Session) -> None:
    now = time.time()
    session.call("SubscribeToConfigurationUpdate", {"keyPath": ["scratch"]})
    session.call("SubscribeToConfigurationUpdate", {"keyPath": ["scratch", "a"]})
    session.call(
        "UpdateConfiguration", {"keyPath": ["scratch"], "timestamp": now, "valueToMerge": {"a": now, "b": f"{now}"}}
    )


@case("configuration: changed with an older time")
def _(session: Session) -> None:
    now = time.time()
    session.call("UpdateConfiguration", {"keyPath": ["aged"], "timestamp": now + 5, "valueToMerge": {"v": "new"}})
    session.call("UpdateConfiguration", {"keyPath": ["aged"], "timestamp": now + 6, "valueToMerge": {"v": "newer"}})
    session.call("UpdateConfiguration", {"keyPath": ["aged"], "timestamp": now - 5, "valueToMerge": {"v": "old"}})
    session.call("GetConfiguration", {"keyPath": ["aged"]})


calls(
    "configuration: changes that are refused",
    ("UpdateConfiguration", {"keyPath": [], "valueToMerge": {"a": 1}}),
    ("UpdateConfiguration", {"keyPath": [], "timestamp": 1.0}),
    ("UpdateConfiguration", {"keyPath": ["accessControl"], "timestamp": 1.0, "valueToMerge": {"a": 1}}),
    ("UpdateConfiguration", {"timestamp": 1.0, "valueToMerge": {"accessControl": {}}}),
    ("UpdateConfiguration", {"keyPath": "text", "timestamp": 1.0, "valueToMerge": {"a": 1}}),
)
calls(
    "configuration: hearing of what is not there",
    ("SubscribeToConfigurationUpdate", {"keyPath": ["missing"]}),
    ("SubscribeToConfigurationUpdate", {"componentName": "conformance.Nobody"}),
)

# -- the rest

calls(
    "lifecycle: states",
    ("UpdateState", {"state": "SLEEPING"}),
    ("UpdateState", {}),
    ("UpdateState", {"state": "NEW"}),
    ("UpdateState", {"state": "running"}),
    ("UpdateState", {"state": "RUNNING"}),
)
calls(
    "authorization: only the stream manager may ask for tokens",
    ("ValidateAuthorizationToken", {"token": "AAAAAAAAAAAAAAAA"}),
)
calls(
    "command line: not for components",
    ("ListComponents", {}),
    ("GetComponentDetails", {"componentName": NAME}),
    ("RestartComponent", {"componentName": NAME}),
    ("StopComponent", {"componentName": NAME}),
    ("CreateLocalDeployment", {}),
    ("ListLocalDeployments", {}),
    ("GetLocalDeploymentStatus", {"deploymentId": "11111111-2222-3333-4444-555555555555"}),
    ("CancelLocalDeployment", {"deploymentId": "11111111-2222-3333-4444-555555555555"}),
    ("PauseComponent", {"componentName": NAME}),
    ("ResumeComponent", {"componentName": NAME}),
    ("PutComponentMetric", {"metrics": [{"name": "n", "unit": "COUNT", "value": 1}]}),
)
calls(
    "command line: what a policy allows",
    ("RestartComponent", {"componentName": NEIGHBOUR}),
    ("RestartComponent", {"componentName": "vedette.ConformanceNobody"}),
    ("RestartComponent", {}),
    ("RestartComponent", {"componentName": ""}),
    ("RestartComponent", {"componentName": 5}),
)
calls("updates: heard of", ("SubscribeToComponentUpdates", {}))
calls("updates: deferred by who did not ask", ("DeferComponentUpdate", {"deploymentId": "x", "recheckAfterMs": 0}))
calls("validation: subscribed", ("SubscribeToValidateConfigurationUpdates", {}))
calls(
    "validation: a report that nobody waits for",
    (
        "SendConfigurationValidityReport",
        {"configurationValidityReport": {"status": "ACCEPTED", "deploymentId": "x"}},
    ),
)
calls("secrets: one that is not there", ("GetSecretValue", {"secretId": "conformance-nothing"}))
calls(
    "shadows: life of one",
    ("DeleteThingShadow", {"thingName": "conformance", "shadowName": "s"}),
    ("GetThingShadow", {"thingName": "conformance", "shadowName": "s"}),
    ("UpdateThingShadow", {"thingName": "conformance", "shadowName": "s", "payload": b64("{")}),
    (
        "UpdateThingShadow",
        {"thingName": "conformance", "shadowName": "s", "payload": b64('{"state": {}, "version": 99}')},
    ),
    ("GetThingShadow", {"thingName": "con/formance", "shadowName": "s"}),
    ("ListNamedShadowsForThing", {"thingName": "conformance-none"}),
)
calls(
    "IoT Core: refused without asking the cloud",
    ("PublishToIoTCore", {"topicName": "forbidden/a", "qos": "1", "payload": b64("x")}),
    ("SubscribeToIoTCore", {"topicName": "forbidden/#", "qos": "1"}),
    ("PublishToIoTCore", {"qos": "1", "payload": b64("x")}),
)
calls(
    "IoT Core: messages that come back",
    ("SubscribeToIoTCore", {"topicName": "conformance/iot/a", "qos": "1"}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/a", "qos": "1", "payload": b64("hi")}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/a", "qos": "0", "payload": ""}),
)
calls(
    "IoT Core: filters",
    ("SubscribeToIoTCore", {"topicName": "conformance/iot/+/x", "qos": "0"}),
    ("SubscribeToIoTCore", {"topicName": "conformance/iot/b/#", "qos": "1"}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/b", "qos": "1", "payload": b64("1")}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c/x", "qos": "1", "payload": b64("2")}),
)
calls(
    "IoT Core: fields that are missing, or of other kinds",
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "payload": b64("x")}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "payload": b64("x"), "qos": 1}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "payload": b64("x"), "qos": "3"}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "payload": b64("x"), "qos": "one"}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "qos": "1"}),
    ("PublishToIoTCore", {"topicName": "conformance/iot/c", "qos": "1", "payload": "§§"}),
    ("PublishToIoTCore", {"topicName": 5, "qos": "1", "payload": b64("x")}),
    ("SubscribeToIoTCore", {"topicName": "conformance/iot/c"}),
    ("SubscribeToIoTCore", {"topicName": "conformance/iot/c", "qos": "3"}),
    ("SubscribeToIoTCore", {"qos": "1"}),
)
calls(
    "IoT Core: topics that it has no room for",
    ("PublishToIoTCore", {"topicName": "conformance/1/2/3/4/5/6/7/8", "qos": "1", "payload": b64("x")}),
    ("PublishToIoTCore", {"topicName": "", "qos": "1", "payload": b64("x")}),
    ("SubscribeToIoTCore", {"topicName": "", "qos": "1"}),
)
