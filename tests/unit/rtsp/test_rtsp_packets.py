"""RTP packets: their heads, their order, and how they lie in an RTSP connection."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp import RtspError
from vedette.rtsp.interleaving import Interleaving
from vedette.rtsp.message import Response
from vedette.rtsp.reordering import Reordering
from vedette.rtsp.rtp import Bye, RtpPacket, SenderReport, parse, parse_control, receiver_report
from vedette.rtsp.transport import Agreed, parse_answer
from vedette.rtsp_server.access_unit import AccessUnit
from vedette.rtsp_server.codecs import H264
from vedette.rtsp_server.rtp import Packer

MS = 1_000_000


def raw(sequence: int = 7, payload: bytes = b"payload", *, first: int = 0x80, extra: bytes = b"") -> bytes:
    return struct.pack(">BBHII", first, 0xE0, sequence, 90_000, 5) + extra + payload


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (raw(), b"payload"),
        (raw(first=0x82, extra=bytes(8)), b"payload"),
        (raw(first=0x90, extra=b"\xab\xac\x00\x01abcd"), b"payload"),
        (raw(first=0xA0, payload=b"payload\x00\x00\x03"), b"payload"),
        (raw(payload=b""), None),
        (raw(first=0x40), None),
        (raw(first=0xA0, payload=b"\xff"), None),
        (raw(first=0x90, payload=b"\x00\x00\xff\xff"), None),
    ],
)
def test_head_is_taken_for_the_payload(data: bytes, payload: bytes | None) -> None:
    packet = parse(memoryview(data))
    assert (packet and bytes(packet.payload)) == payload
    if packet:
        assert packet[:5] == (7, 90_000, True, 96, 5)


def test_time_of_a_sender_report_is_another() -> None:
    packer = Packer(H264, ssrc=5, sequence=0, offset=1000, name="cam")
    wall_ns = 1_790_000_000_123_456_789
    list(packer.packets(AccessUnit((b"\x65\x88",), 0, wall_ns, key=True)))
    report = packer.report(wall_ns + 1_000 * MS)
    assert report
    (told,) = parse_control(memoryview(report))
    assert isinstance(told, SenderReport)
    assert (told.source, told.stamp) == (5, 1000 + 90_000)
    assert abs(told.wall_ns - wall_ns - 1_000 * MS) < 10
    assert list(parse_control(memoryview(packer.bye()))) == [Bye(5)]
    # After the count of NTP's seconds has begun anew, in 2036.
    late = report[:8] + struct.pack(">I", 100) + report[12:]
    (told,) = parse_control(memoryview(late))
    assert isinstance(told, SenderReport)
    assert told.wall_ns // 1_000_000_000 == 100 + (1 << 32) - 2_208_988_800


@given(st.binary(max_size=60))
def test_nonsense_raises(data: bytes) -> None:
    parse(memoryview(data))
    list(parse_control(memoryview(data)))


def test_receiver_report_is_none() -> None:
    report = receiver_report(9, 5, highest=0x10007, lost=3)
    assert struct.unpack_from(">BBHIIII", report) == (0x81, 201, 7, 9, 5, 3, 0x10007)
    assert len(report) % 4 == 0
    assert struct.unpack_from(">BBHI", report, 32) == (0x81, 202, 3, 9)
    assert len(report) == 32 + 4 * 4


def packet(sequence: int, source: int = 1) -> RtpPacket:
    return RtpPacket(sequence & 0xFFFF, 0, False, 96, source, memoryview(b"x"))


def order(reordering: Reordering, *sequences: int, at_ms: int = 0) -> list[tuple[int, bool]]:
    out = []
    for sequence in sequences:
        out += [(got.sequence, lost) for got, lost in reordering.add(packet(sequence), at_ms * MS)]
    return out


def test_packets_that_overtook_one_another_stay_so() -> None:
    assert order(Reordering(waits=True), 65534, 0, 65535, 2, 1) == [
        (65534, False),
        (65535, False),
        (0, False),
        (1, False),
        (2, False),
    ]


def test_lost_packet_holds_up_the_others() -> None:
    reordering = Reordering(waits=True)
    assert order(reordering, 1, 3) == [(1, False)]
    assert order(reordering, 4, at_ms=20) == []
    assert order(reordering, 5, at_ms=50) == [(3, True), (4, False), (5, False)]
    assert (reordering.lost, reordering.highest) == (1, 5)
    held = [number for number, _ in order(reordering, *range(7, 80), at_ms=50)]
    assert held[0] == 7, "after so many others it does not come any more"


def test_packet_comes_twice_or_too_late() -> None:
    reordering = Reordering(waits=True)
    assert order(reordering, 1, 1, 2, 1, 3) == [(1, False), (2, False), (3, False)]


def test_gap_in_a_connection_is_waited_for() -> None:
    assert order(Reordering(waits=False), 1, 4, 5) == [(1, False), (4, True), (5, False)]


@pytest.mark.parametrize("waits", [True, False])
def test_camera_that_counts_anew_is_not_heard_any_more(waits: bool) -> None:
    reordering = Reordering(waits=waits)
    order(reordering, 1000, 1001)
    assert order(reordering, 40, 41)[-1] == (41, False)
    assert [got.sequence for got, _ in reordering.add(packet(9, source=2), 0)] == [9]
    # A little behind: as long as they might be late ones they are, and not for ever.
    order(reordering, 100, 101, at_ms=100)
    assert order(reordering, *range(60, 260), at_ms=200)[-1][0] == 259


def framed(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + struct.pack(">H", len(data)) + data


def cut(data: bytes, piece: int) -> list[object]:
    cutter = Interleaving((0, 1), data[:3])
    out: list[object] = []
    for start in range(3, len(data) + piece, piece):
        while (found := cutter.next()) is not None:
            out.append(found if isinstance(found, Response) else (found[0], bytes(found[1])))
        given_now = data[start : start + piece]
        cutter.room[: len(given_now)] = given_now
        cutter.received(len(given_now))
    return out


ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 5\r\nContent-Length: 2\r\n\r\n$\x00"


@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_packets_and_answers_are_mixed_up(piece: int) -> None:
    data = framed(0, raw(1)) + ANSWER + framed(1, raw(2)) + framed(0, raw(3))
    found = cut(data, piece)
    assert [each for each in found if not isinstance(each, Response)] == [(0, raw(1)), (1, raw(2)), (0, raw(3))]
    (answer,) = [each for each in found if isinstance(each, Response)]
    assert (answer.code, answer.body) == (200, b"$\x00")


@pytest.mark.parametrize(
    "nonsense", [b"$", b"$\x00\xff\xff", b"OPTIONS * RTSP/1.0\r\n\r\n", b"RTSP/9 nothing\r\n\r\n", bytes(99)]
)
def test_connection_is_lost_behind_broken_framing(nonsense: bytes) -> None:
    assert cut(nonsense + b"".join(framed(0, raw(n)) for n in range(4)), 5000)[-1] == (0, raw(3))


def test_endless_nonsense_is_read_for_ever() -> None:
    with pytest.raises(RtspError):
        cut(bytes(1024 * 1024), 4096)


@given(st.lists(st.binary(max_size=64)), st.integers(1, 100))
def test_any_bytes_raise_another_error(parts: list[bytes], piece: int) -> None:
    cut(b"$\x00".join(parts) + b"   ", piece)


@pytest.mark.parametrize(
    ("value", "agreed"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=1234", Agreed((2, 3), None, None)),
        ("RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001", Agreed(None, (6000, 6001), None)),
        ("RTP/AVP/UDP;unicast;source=127.0.0.1;server_port=6000", Agreed(None, (6000, 6001), "127.0.0.1")),
        ("RTP/AVP;unicast;source=camera", Agreed(None, None, None)),
        ("RTP/AVP/TCP;interleaved=x", None),
        ("RAW/RAW/UDP", None),
        ("", None),
    ],
)
def test_answer_to_setup_is_misread(value: str, agreed: Agreed | None) -> None:
    assert parse_answer(value) == agreed
