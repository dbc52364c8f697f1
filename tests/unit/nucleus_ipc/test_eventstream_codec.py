"""The framing: one table of messages and bytes for both directions, byte by byte, and damaged input."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.nucleus.ipc.errors import ProtocolError
from vedette.nucleus.ipc.eventstream import MAX_HEADERS_BYTES, MAX_MESSAGE_BYTES, Decoder, HeaderValue, Message, encode

CASES = [
    (
        # Empty message: the 16 bytes of lengths and checksums alone.
        Message(),
        "00000010 00000000 05c248eb 7d98c8ff",
    ),
    (
        # A nucleus's answer to CONNECT, as captured from nucleus lite 2.6.0 (71 bytes).
        Message({":message-type": 5, ":message-flags": 1, ":stream-id": 0}),
        None,
    ),
    (Message({"text": "käse", "raw": b"\x00\xff", "yes": True, "no": False, "number": -2}, b"payload"), None),
]


def frame(headers: bytes, payload: bytes = b"") -> bytes:
    """Build a frame by hand, independent of ``encode``."""
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(("message", "wire"), CASES)
def test_message_changes_on_the_way(message: Message, wire: str | None) -> None:
    data = encode(message)
    if wire is not None:
        assert data == bytes.fromhex(wire)
    decoder = Decoder()
    decoder.receive_data(data + data[:5])
    assert decoder.next_event() == message
    assert decoder.next_event() is None
    assert decoder.buffered == 5


def test_length_differs_from_the_captured_frame() -> None:
    assert len(encode(CASES[1][0])) == 71


@pytest.mark.parametrize(("message", "wire"), CASES)
def test_message_needs_to_come_in_one_piece(message: Message, wire: str | None) -> None:
    decoder = Decoder()
    events = []
    for byte in encode(message) * 2:
        decoder.receive_data(bytes([byte]))
        event = decoder.next_event()
        if event is not None:
            events.append(event)
    assert events == [message, message]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00", True),
        (b"\x01", False),
        (b"\x02\xff", -1),
        (b"\x03\xff\xfe", -2),
        (b"\x04\x00\x00\x01\x00", 256),
        (b"\x05" + b"\xff" * 8, -1),
        (b"\x06\x00\x02\x01\x02", b"\x01\x02"),
        (b"\x07\x00\x01x", "x"),
        (b"\x08" + bytes(7) + b"\x05", 5),
        (b"\x09" + bytes(range(16)), bytes(range(16))),
    ],
)
def test_header_of_a_type_is_read_wrong(value: bytes, expected: HeaderValue) -> None:
    decoder = Decoder()
    decoder.receive_data(frame(b"\x01h" + value + b"\x01z\x00"))
    assert decoder.next_event() == Message({"h": expected, "z": True})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00" * 12, "prelude checksum"),
        (encode(Message())[:-1] + b"\x00", "message checksum"),
        (frame(b"\x01h\x0a"), "unknown type 10"),
        (frame(b"\x05h\x00"), "cannot be read"),
        (frame(b"\x01h"), "cannot be read"),
        (frame(b"\x01h\x04\x00"), "cannot be read"),
        (frame(b"\x01h\x07\x00\x05ab"), "cut off"),
        (frame(b"\x01h\x09" + bytes(15)), "cut off"),
        (frame(b"\x01\xff\x00"), "cannot be read"),
        (frame(b"\x01h\x07\x00\x01\xff"), "cannot be read"),
    ],
)
def test_malformed_frame_is_taken_for_a_message(data: bytes, message: str) -> None:
    decoder = Decoder()
    decoder.receive_data(data)
    for _ in range(2):
        with pytest.raises(ProtocolError, match=message):
            decoder.next_event()
    assert decoder.buffered == 0


@pytest.mark.parametrize(
    ("total", "headers", "message"),
    [
        (MAX_MESSAGE_BYTES + 1, 0, "the limit is 25165824"),
        (15, 0, "in a message of 15 bytes"),
        (100, 85, "headers of 85 bytes in a message of 100"),
        (MAX_HEADERS_BYTES + 100, MAX_HEADERS_BYTES + 1, "headers of 131073"),
    ],
)
def test_impossible_length_is_waited_for(total: int, headers: int, message: str) -> None:
    lengths = struct.pack(">II", total, headers)
    decoder = Decoder()
    decoder.receive_data(lengths + struct.pack(">I", zlib.crc32(lengths)))
    with pytest.raises(ProtocolError, match=message):
        decoder.next_event()


def test_limit_of_the_decoder_is_ignored() -> None:
    decoder = Decoder(limit=20)
    decoder.receive_data(encode(Message({}, b"12345")))
    with pytest.raises(ProtocolError, match="message of 21 bytes, the limit is 20"):
        decoder.next_event()


@pytest.mark.parametrize("headers", [{"": 1}, {"x" * 256: 1}, {"h": "x" * 65536}])
def test_header_that_does_not_fit_is_sent(headers: dict[str, HeaderValue]) -> None:
    with pytest.raises(ProtocolError):
        encode(Message(headers))


def test_header_of_wrong_type_is_used() -> None:
    message = Message({"text": "x", "number": 1, "flag": True})
    assert (message.integer("number"), message.text("text"), message.integer("none", 7), message.text("none")) == (
        1,
        "x",
        7,
        None,
    )
    for read in (lambda: message.integer("text"), lambda: message.integer("flag"), lambda: message.text("number")):
        with pytest.raises(ProtocolError):
            read()


VALUES = st.one_of(st.booleans(), st.integers(-(2**31), 2**31 - 1), st.binary(max_size=50), st.text(max_size=50))


@given(
    st.dictionaries(st.text(min_size=1, max_size=60), VALUES, max_size=8),
    st.binary(max_size=200),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_any_message_survives_any_fragmentation(
    headers: dict[str, HeaderValue], payload: bytes, sizes: list[int]
) -> None:
    data = encode(Message(headers, payload)) * 2
    decoder = Decoder()
    events = []
    for size in [*sizes, len(data)]:
        decoder.receive_data(data[:size])
        data = data[size:]
        while (event := decoder.next_event()) is not None:
            events.append(event)
    assert events == [Message(headers, payload)] * 2


@given(st.binary(max_size=300))
def test_noise_raises_something_else(noise: bytes) -> None:
    decoder = Decoder()
    decoder.receive_data(frame(noise[:100], noise[100:]) + noise)
    try:
        while decoder.next_event() is not None:
            pass
    except ProtocolError:
        assert decoder.buffered == 0


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_flipped_bits_go_unnoticed(at: int, flip: int) -> None:
    data = bytearray(encode(CASES[2][0]))
    data[at % len(data)] ^= flip
    decoder = Decoder()
    decoder.receive_data(bytes(data))
    with pytest.raises(ProtocolError):
        assert decoder.next_event() is not None
