"""Coded pictures that are passed on begin with what a decoder needs, and bear the time of capture."""

from fractions import Fraction
from typing import Any

import av
import pytest
from vedette_camera_ingest.events import Opened, Received
from vedette_camera_ingest.passing_on import PassingOn

from vedette.coded_video import Coded

SETS = b"\x00\x00\x00\x01\x67\x42\x00\x1e\x00\x00\x00\x01\x68\xce"
DELIMITER = b"\x00\x00\x01\x09\xf0"
WALL = 1_795_792_420_000_000_000


class Offer:
    def __init__(self, wanted: bool = True) -> None:
        self.wanted = wanted
        self.taken: list[Coded] = []

    def publish(self, picture: Coded) -> None:
        self.taken.append(picture)


def received(data: bytes, *, key: bool, second: float = 0.0) -> Received:
    packet: Any = av.Packet(data)
    packet.is_keyframe, packet.time_base = key, Fraction(1, 90_000)
    at = round(second * 1e9)
    return Received(packet, 10**9 + at, WALL + at, at, None)


def passing_on(offer: Offer, codec: str = "h264") -> PassingOn:
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.extradata = SETS
    return PassingOn(offer, Opened(decoder, "H.264", "here"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "key", "expected"),
    [
        (b"\x00\x00\x00\x01\x65abc", True, SETS + b"\x00\x00\x00\x01\x65abc"),
        (SETS + b"\x00\x00\x01\x65abc", True, SETS + b"\x00\x00\x01\x65abc"),
        (DELIMITER + SETS + b"\x00\x00\x01\x65a", True, DELIMITER + SETS + b"\x00\x00\x01\x65a"),
        (b"\x00\x00\x01\x41abc", False, b"\x00\x00\x01\x41abc"),
    ],
)  # fmt: skip
def test_parameter_sets_are_missing_or_there_twice(data: bytes, key: bool, expected: bytes) -> None:
    offer = Offer()
    passing_on(offer).take(received(data, key=key))
    (picture,) = offer.taken
    assert (picture.codec, picture.data, picture.key) == ("H264", expected, key)
    assert abs(picture.wall_ns - WALL) < 1_000_000


def test_pictures_are_made_ready_for_nobody() -> None:
    offer = Offer(wanted=False)
    passing_on(offer).take(received(b"\x00\x00\x01\x65abc", key=True))
    assert offer.taken == []


def test_another_codec_is_called_h264() -> None:
    offer = Offer()
    passing_on(offer, "hevc").take(received(b"\x00\x00\x01\x40\x01\x0c\x00\x00\x01\x42\x01", key=True))
    assert [picture.codec for picture in offer.taken] == ["H265"]
