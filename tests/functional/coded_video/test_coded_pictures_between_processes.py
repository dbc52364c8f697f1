"""A camera's coded pictures, from its worker to who takes them."""

import socket
import time
from functools import partial
from pathlib import Path

import pytest

from tests import waiting
from vedette.coded_video import Coded, CodedOffer, CodedReader, CodedVideoError
from vedette.coded_video.offer import MOST_TAKERS
from vedette.coded_video.wire import PIECE_BYTES
from vedette.rings import connect

KEY = Coded("H264", b"\x00\x00\x01\x65" + bytes(200_000), True, 1_795_792_420_598_000_000, -5)
NEXT = Coded("H264", b"\x00\x00\x01\x41abc", False, 1_795_792_420_698_000_000, 7)


eventually = partial(waiting.eventually, within_s=20.0, every_s=0.01)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lobby.coded.sock")


def test_a_picture_arrives_torn_or_before_a_key_frame(path: str) -> None:
    offer = CodedOffer(path)
    offer.publish(KEY)
    assert not offer.wanted
    with CodedReader(path) as reader:
        eventually(lambda: offer.wanted, "it is noticed")
        for picture in (NEXT, KEY, NEXT):
            offer.publish(picture)
        assert [reader.receive(5.0), reader.receive(5.0)] == [KEY, NEXT]
        assert reader.receive(0.05) is None
    eventually(lambda: not offer.wanted, "who has gone is forgotten")


def test_who_takes_nothing_holds_up_the_camera_or_fills_its_memory(path: str) -> None:
    offer = CodedOffer(path)
    with CodedReader(path) as slow, CodedReader(path) as quick:
        eventually(lambda: len(offer._takers) == 2, "both are there")
        began = time.monotonic()
        for number in range(200):
            offer.publish(KEY if number % 10 == 0 else NEXT._replace(data=bytes(100_000)))
            if number % 10 == 9:
                while quick.receive(0.02):
                    pass
        assert time.monotonic() - began < 15
        assert max(taker._bytes for taker in offer._takers) < 10_000_000
        first = slow.receive(5.0)
        assert first is not None
        assert first.key


@pytest.mark.parametrize("packet", [b"GET / HTTP/1.1", b"VCP1" + bytes(22), b"VCP1\x09\x01" + bytes(20)])
def test_a_worker_that_sends_garbage_is_believed(path: str, packet: bytes) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    with listener, CodedReader(path) as reader:
        sock, _ = listener.accept()
        with sock:
            sock.send(packet)
            with pytest.raises(CodedVideoError):
                reader.receive(5.0)


def test_a_worker_that_ends_in_a_picture_is_waited_for(path: str) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    with listener, CodedReader(path) as reader:
        sock, _ = listener.accept()
        from vedette.coded_video.wire import packets

        sent = list(packets(KEY))
        assert max(map(len, sent)) <= PIECE_BYTES
        for packet in sent[:2]:
            sock.send(packet)
        sock.close()
        with pytest.raises(CodedVideoError, match="breaks off"):
            reader.receive(5.0)
    with pytest.raises(CodedVideoError, match="cannot reach"):
        CodedReader(path + "x")


def test_everybody_may_take_at_once(path: str) -> None:
    offer = CodedOffer(path)
    taken = [connect(path) for _ in range(MOST_TAKERS + 3)]
    eventually(lambda: len(offer._takers) == MOST_TAKERS, "the first ones are let in")
    for sock in taken:
        sock.close()
    eventually(lambda: not offer.wanted, "all have gone")
