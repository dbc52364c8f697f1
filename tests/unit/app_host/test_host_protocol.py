"""The packets between host and panoramasdk: one table for both directions, and what must be refused."""

import json
from typing import Any

import pytest
from vedette_app_runtime import protocol
from vedette_app_runtime.protocol import ProtocolError, decode, encode

HELLO = protocol.Hello(
    1,
    "shop",
    ["video_in"],
    [["video_in", "door", "rtsp://door/"]],
    {"a": 1, "b": "ü", "c": True},
    {"out": False},
    ["m"],
    False,
)
REPORT = protocol.Report(1, 2, 3, 4.5, 1700000000.25, 1, [[0, 12]], [["out", "door", 5, 64, 48, 0]], {"limit": 9})
PACKETS: list[Any] = [
    protocol.Attach(1, 4711),
    HELLO,
    protocol.Parameter("limit", 20.0),
    protocol.Parameter("text", 'quote " and \n'),
    protocol.CameraSocket(3, ahead=True),
    protocol.CameraState(0, True, "paused", "rtsp://door/"),
    protocol.CameraLost(0),
    protocol.MainState(0, apart=True),
    protocol.MainWanted(0),
    protocol.MainSocket(0),
    protocol.MainLost(0),
    protocol.ModelSocket("m"),
    protocol.ModelState("m", "loading", "13 of 45 s"),
    protocol.ModelLost("m"),
    protocol.OutputWanted("out", "door"),
    protocol.OutputSocket("out", "door"),
    protocol.Record({"kind": "frame", "labels": [["a", 0.5, 0.5]]}),
    REPORT,
    REPORT._replace(call_ms=-1.0, last_activity=0),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: type(p).__name__)
def test_a_packet_changes_on_the_way(packet: protocol.Packet) -> None:
    got = decode(encode(packet))
    assert got == packet
    assert type(got) is type(packet)


def test_a_kind_is_not_tested() -> None:
    assert {type(packet) for packet in PACKETS} == set(protocol.KINDS.values())


def test_a_whole_number_becomes_an_integer() -> None:
    got = decode(encode(protocol.Parameter("limit", 20.0)))
    assert isinstance(got, protocol.Parameter)
    assert type(got.value) is float


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes is not JSON"),
        (b"\xff\xfe", "2 bytes is not JSON"),
        (b"[1]", "unknown kind"),
        (b'{"packet":"shutdown"}', "unknown kind"),
        (b'{"port":"a"}', "unknown kind"),
        (b'{"packet":"camera-lost"}', r"has the fields \[\], expected \['camera'\]"),
        (b'{"packet":"camera-lost","camera":1,"more":2}', "has the fields"),
        (b'{"packet":"camera-lost","camera":"1"}', "camera is str, expected int"),
        (b'{"packet":"camera-lost","camera":true}', "camera is bool, expected int"),
        (b'{"packet":"camera-lost","camera":1.5}', "camera is float, expected int"),
        (b'{"packet":"attach","version":1,"pid":null}', "pid is NoneType, expected int"),
    ],
)
def test_a_packet_that_cannot_be_is_taken(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        decode(data)


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: type(p).__name__)
def test_a_truncated_packet_is_taken(packet: protocol.Packet) -> None:
    data = encode(packet)
    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            decode(data[:length])


def test_a_packet_that_is_too_large_is_sent() -> None:
    with pytest.raises(ProtocolError, match="at most 196608 fit"):
        encode(protocol.Parameter("text", "x" * 200_000))


def test_every_field_is_checked() -> None:
    for packet in PACKETS:
        fields = json.loads(encode(packet))
        for name in packet._fields:
            if protocol.KINDS[fields["packet"]].__annotations__[name] is not Any:
                with pytest.raises(ProtocolError):
                    decode(json.dumps({**fields, name: None}).encode())
