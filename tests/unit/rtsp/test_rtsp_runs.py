"""Packets that only go on with a picture are taken in one go: the pictures are those that come packet by packet."""

import struct
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.rtsp import ConnectionClosed, NotRtsp, assembly, player
from vedette.rtsp.interleaving import ROOM_BYTES
from vedette.rtsp.links import InterleavedLink
from vedette.rtsp_server.codecs import CODECS

MOST = 40
"""Bytes of a payload, so that a small unit takes many packets."""
HEADS = {"H264": (b"\x65\x88", b"\x41\x9a", b"\x41\x1a"), "H265": (b"\x26\x01\x88", b"\x02\x01\x88", b"\x02\x01\x08")}
"""Of a key picture's first slice, another picture's, and a further one."""

_PIECE = ROOM_BYTES // 4
Disturbance = Callable[[list[bytes], int], None]


class Pieces:
    """A socket that gives what is read from it piece by piece, and then is closed."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, _seconds: float) -> None:
        pass

    def recv_into(self, room: memoryview) -> int:
        piece = self._pieces.pop(0) if self._pieces else b""
        room[: len(piece)] = piece
        return len(piece)


def framed(packet: bytes, channel: int = 0) -> bytes:
    return b"$" + bytes([channel]) + struct.pack(">H", len(packet)) + packet


def packets(codec: str, pictures: Sequence[Sequence[int]], first: int = 65_520) -> list[bytes]:
    """Return the packets of pictures, of each of whose slices the length is given; their numbers begin anew soon."""
    out: list[bytes] = []
    for index, sizes in enumerate(pictures):
        heads = [
            HEADS[codec][0 if index == 0 and slice_ == 0 else 1 if slice_ == 0 else 2] for slice_ in range(len(sizes))
        ]
        nals = [
            head + bytes(number % 251 + 1 for number in range(size)) for head, size in zip(heads, sizes, strict=True)
        ]
        payloads = list(CODECS[codec].payloads(nals, MOST))
        for position, payload in enumerate(payloads):
            kind = 96 | 0x80 * (position == len(payloads) - 1)
            out.append(struct.pack(">BBHII", 0x80, kind, first + len(out) & 0xFFFF, 3000 * index, 9) + payload)
    return [framed(packet) for packet in out]


def changed(at: int, bits: int) -> Disturbance:
    """Return what changes one byte of a packet, its frame included."""

    def disturb(stream: list[bytes], index: int) -> None:
        packet = bytearray(stream[index])
        packet[at % len(packet)] ^= bits
        stream[index] = bytes(packet)

    return disturb


def shorter(length: int) -> Disturbance:
    """Return what gives a packet another length than it has."""

    def disturb(stream: list[bytes], index: int) -> None:
        stream[index] = stream[index][:2] + struct.pack(">H", length) + stream[index][4:]

    return disturb


def left_out(stream: list[bytes], index: int) -> None:
    del stream[index]


def twice(stream: list[bytes], index: int) -> None:
    stream.insert(index, stream[index])


def overtaken(stream: list[bytes], index: int) -> None:
    stream.insert(max(0, index - 2), stream.pop(index))


def reported(stream: list[bytes], index: int) -> None:
    stream.insert(index, framed(struct.pack(">BBHIIIIII", 0x80, 200, 6, 9, 1, 0, 0, 0, 0), 1))


def answered(stream: list[bytes], index: int) -> None:
    stream.insert(index, b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n")


def cut_off(stream: list[bytes], index: int) -> None:
    stream[index] = stream[index][:-3]


def played(codec: str, stream: bytes, pieces: Sequence[int], *, runs: bool) -> tuple[list[Any], list[int], int]:
    """Return the pictures, what was lost and how many packets were looked at by themselves."""
    parts, position = [], 0
    for size in [*pieces, len(stream)]:
        parts += [stream[position : position + size][start : start + _PIECE] for start in range(0, size, _PIECE)]
        position += size
    link = InterleavedLink(cast("Any", Pieces([part for part in parts if part])), (0, 1), b"", "camera port 554")
    if not runs:
        link.run = lambda like, into: 0  # type: ignore[method-assign]  # noqa: ARG005
    described = SimpleNamespace(
        address=SimpleNamespace(host="camera", port=554),
        video=SimpleNamespace(codec=codec, codec_name=codec, size=None, payload_type=96, clock_hz=90_000),
        session=SimpleNamespace(control=None),
        base="rtsp://camera/",
    )
    dialogue = SimpleNamespace(is_asked=lambda _answer: False, send=lambda *_: None)
    playing = player.Player(cast("Any", described), cast("Any", dialogue), link, "5", 60, threading.Event())
    looked_at = 0
    module: Any = player
    parse = module.parse

    def counted(data: memoryview) -> Any:
        nonlocal looked_at
        looked_at += 1
        return parse(data)

    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(player, "parse", counted)
        try:
            for picture in playing.pictures():
                found.append((picture.data, picture.key, picture.ticks, picture.camera_ns))  # noqa: PERF401 - until it raises
        except (ConnectionClosed, NotRtsp) as error:
            found.append(type(error))  # type: ignore[arg-type]
    order = playing._order
    return found, [order.lost, order.highest, playing.endless], looked_at


DISTURBANCES: st.SearchStrategy[Disturbance] = st.one_of(
    st.sampled_from([left_out, twice, overtaken, reported, answered, cut_off]),
    st.builds(shorter, st.integers(0, 20)),
    st.builds(changed, st.integers(0, 24), st.sampled_from([1 << bit for bit in range(8)])),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("codec", list(HEADS))
@settings(deadline=None)
@given(
    pictures=st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=3), min_size=1, max_size=4),
    disturbances=st.lists(st.tuples(DISTURBANCES, st.integers(0, 10_000)), max_size=4),
    pieces=st.lists(st.integers(1, 900), max_size=6),
)
def test_a_run_makes_other_pictures_than_its_packets(
    codec: str,
    pictures: list[list[int]],
    disturbances: list[tuple[Disturbance, int]],
    pieces: list[int],
) -> None:
    stream = packets(codec, pictures)
    for disturb, index in disturbances:
        if stream:
            disturb(stream, index % len(stream))
    data = b"".join(stream)
    one_by_one, told, _ = played(codec, data, pieces, runs=False)
    at_once, told_of_runs, _ = played(codec, data, pieces, runs=True)
    assert (at_once, told_of_runs) == (one_by_one, told)
    if not disturbances:
        assert [each[1] for each in at_once[:-1]] == [index == 0 for index in range(len(pictures))]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("codec", list(HEADS))
def test_every_packet_of_a_long_unit_is_looked_at_by_itself(codec: str) -> None:
    stream = packets(codec, [[2000], [2000], [2000]])
    assert len(stream) > 150
    assert sum(map(len, stream)) < _PIECE
    assert played(codec, b"".join(stream), [], runs=False)[2] == len(stream)
    pictures, (lost, *_), looked_at = played(codec, b"".join(stream), [], runs=True)
    assert (len(pictures), lost) == (4, 0)
    # Of each picture the beginning and the end, however they come.
    assert looked_at == 3 * 2
    in_pieces = [len(packet) for packet in stream]
    assert played(codec, b"".join(stream), in_pieces, runs=True)[::2] == (pictures, looked_at)


@pytest.mark.timeout(30)
def test_camera_whose_numbers_stand_still_within_a_unit_is_not_heard_any_more() -> None:
    before = packets("H264", [[4000]], first=1000)[:90]
    after = [packets("H264", [[20]] * (index + 1), first=1030 - index)[-1] for index in range(300)]
    data = b"".join(before + after)
    one_by_one, *_ = played("H264", data, [], runs=False)
    assert len(one_by_one) > 2, "every hundredth or so"
    assert played("H264", data, [], runs=True)[0] == one_by_one


@pytest.mark.timeout(30)
def test_unit_without_an_end_takes_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (player, assembly):
        monkeypatch.setattr(module, "MOST_PICTURE_BYTES", 5000)
    stream = packets("H264", [[40_000], [200]])
    pieces = [len(packet) for packet in stream]
    pictures, (_, _, endless), _ = played("H264", b"".join(stream), pieces, runs=True)
    assert [picture[2] for picture in pictures[:-1]] == [0], "the second one alone"
    assert endless == 1
