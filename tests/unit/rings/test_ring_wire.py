"""The packets of a ring, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rings import BGR24, I420, FrameHeader, RingError, frame_bytes, wire

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
HEADERS = st.builds(FrameHeader, U64, I64, I64, U32, U32, st.integers(0, 255))
PACKETS = st.one_of(
    st.builds(wire.Memory, U32, U32, U64),
    st.builds(wire.Frame, U32, U32, HEADERS, U64, st.binary(max_size=300)),
    st.builds(wire.Hello, U32),
    st.builds(wire.Release, U32, U32, U64),
)


@given(PACKETS)
def test_a_packet_does_not_survive_the_wire(packet: wire.Packet) -> None:
    assert wire.decode(wire.encode(packet)) == packet


@given(st.binary(max_size=200))
def test_garbage_raises_something_else_than_ring_error(data: bytes) -> None:
    try:
        wire.decode(data)
    except RingError:
        return


def test_reader_of_another_protocol_version_is_accepted() -> None:
    hello = bytearray(wire.encode(wire.Hello(1)))
    hello[1] = 9
    with pytest.raises(RingError, match="protocol 9, expected 1"):
        wire.decode(bytes(hello))


@pytest.mark.parametrize(
    ("pixel_format", "width", "height", "size"),
    [(I420, 1920, 1080, 3_110_400), (BGR24, 1920, 1080, 6_220_800), (BGR24, 3, 1, 9), (I420, 2, 2, 6)],
)
def test_frame_size_is_wrong(pixel_format: int, width: int, height: int, size: int) -> None:
    assert frame_bytes(pixel_format, width, height) == size


@pytest.mark.parametrize(
    ("pixel_format", "width", "height", "message"),
    [
        (I420, 3, 2, "even sizes, got 3x2"),
        (9, 2, 2, "format 9 is unknown"),
        (BGR24, 0, 2, "0x2"),
        (I420, 60_000, 60_000, "larger than"),
    ],
)
def test_impossible_frame_gets_a_size(pixel_format: int, width: int, height: int, message: str) -> None:
    with pytest.raises(RingError, match=message):
        frame_bytes(pixel_format, width, height)
