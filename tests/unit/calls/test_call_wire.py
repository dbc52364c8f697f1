"""The call channel's packets: what is encoded is decoded the same, what is broken is refused."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.rings.calls import wire
from vedette.rings.calls.tensors import DTYPES, Description, Placed, TensorSpec
from vedette.rings.errors import RingError

U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
NAMES = st.text(max_size=20).filter(lambda text: text.isprintable())
PLACED = st.builds(Placed, NAMES, st.sampled_from(DTYPES), st.lists(U64, max_size=5).map(tuple), U64)
TENSORS = st.lists(PLACED, max_size=4).map(tuple)
SPECS = st.lists(
    st.builds(
        TensorSpec,
        NAMES,
        st.sampled_from(DTYPES),
        st.lists(st.integers(-1, 5000) | NAMES, max_size=4).map(tuple),
    ),
    max_size=4,
).map(tuple)
PACKETS = st.one_of(
    st.builds(wire.Describe, st.builds(Description, SPECS, SPECS, st.booleans())),
    st.builds(wire.Memory, U32, U32, U16, U64, U64),
    st.builds(wire.Refused, U32, NAMES, NAMES),
    st.builds(wire.Answer, U64, U64, TENSORS),
    st.builds(wire.Fault, U64, NAMES, NAMES),
    st.builds(wire.Open, U32, U64, U64),
    st.builds(wire.Call, U64, U32, U16, U64, TENSORS),
    st.builds(wire.Close, U32),
    st.builds(wire.Share, U32, U64),
    st.builds(wire.Unshare, U32),
    st.builds(wire.Frame, U64, U32, U16, U64, U32, U64, U32, U32, st.integers(0, 255)),
)


@settings(deadline=None)
@given(PACKETS)
def test_what_is_encoded_is_decoded_the_same(packet: wire.Packet) -> None:
    assert wire.decode(wire.encode(packet)) == packet


@settings(deadline=None)
@given(PACKETS, st.data())
def test_a_packet_cut_short_or_made_longer_is_refused(packet: wire.Packet, data: st.DataObject) -> None:
    raw = wire.encode(packet)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(RingError):
        wire.decode(raw[:cut])
    with pytest.raises(RingError):
        wire.decode(raw + b"\0")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_packet_or_a_ring_error(raw: bytes) -> None:
    try:
        packet = wire.decode(raw)
    except RingError:
        return
    assert type(packet) in get_args(wire.Packet)


def test_another_protocol_version_is_named() -> None:
    raw = bytearray(wire.encode(wire.Open(1, 2, 3)))
    raw[1] = 9
    with pytest.raises(RingError, match="call protocol 9, expected 3"):
        wire.decode(bytes(raw))


def test_nesting_bomb_in_a_description_is_refused() -> None:
    raw = wire.encode(wire.Describe(Description((), ())))[:2] + b"[" * 100_000
    with pytest.raises(RingError, match="malformed"):
        wire.decode(raw)


def test_too_many_tensors_are_refused_on_both_sides() -> None:
    tensors = tuple(Placed(str(n), "uint8", (1,), 0) for n in range(wire.MAX_TENSORS + 1))
    with pytest.raises(RingError, match="at most 256"):
        wire.encode(wire.Call(1, 1, 0, 0, tensors))
    raw = bytearray(wire.encode(wire.Call(1, 1, 0, 0, ())))
    raw[-2:] = (wire.MAX_TENSORS + 1).to_bytes(2, "little")
    with pytest.raises(RingError, match="at most 256"):
        wire.decode(bytes(raw))


def test_a_name_too_long_for_a_packet_is_refused() -> None:
    with pytest.raises(RingError, match="cannot be encoded"):
        wire.encode(wire.Call(1, 1, 0, 0, (Placed("n" * 70_000, "uint8", (1,), 0),)))


def test_a_description_too_long_for_a_packet_is_refused() -> None:
    specs = tuple(TensorSpec("x" * 1000, "float32", (1,)) for _ in range(200))
    with pytest.raises(RingError, match="at most 131072 fit"):
        wire.encode(wire.Describe(Description(specs, ())))


def test_a_long_reason_is_cut() -> None:
    packet = wire.decode(wire.encode(wire.Fault(1, "run_failed", "x" * 10_000)))
    assert isinstance(packet, wire.Fault)
    assert len(packet.message) == wire.MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    ("memory", "fits"),
    [
        (wire.Memory(7, 1, 4, 4096, 4096), True),
        (wire.Memory(8, 1, 4, 4096, 4096), False),
        (wire.Memory(7, 1, 0, 4096, 4096), False),
        (wire.Memory(7, 1, 4, 4095, 4096), False),
        (wire.Memory(7, 1, 4, 4096, 99), False),
    ],
)
def test_a_memory_smaller_than_asked_for_is_not_the_one_asked_for(memory: wire.Memory, fits: bool) -> None:
    assert memory.answers(wire.Open(7, 4096, 100)) is fits
