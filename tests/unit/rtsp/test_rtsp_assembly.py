"""Pictures out of RTP payloads, as many packets as they take and whatever cameras do with the marker."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp import assembly
from vedette.rtsp.assembly import Assembly, assembly_of
from vedette.rtsp.coded_picture import Whole
from vedette.rtsp.rtp import RtpPacket
from vedette.rtsp_server import jpeg, split_annex_b
from vedette.rtsp_server.codecs import CODECS

SPS, PPS, IDR = b"\x67\x42\x00\x1f", b"\x68\xce\x38\x80", b"\x65\x88" + bytes(range(1, 100))
FIRST, FURTHER = b"\x41\x9a\x01\x02", b"\x41\x1a\x03\x04"


def made(codec: str) -> Assembly:
    found = assembly_of(codec)
    assert found is not None
    return found


def feed(
    into: Assembly, payloads: Iterable[bytes], stamp: int = 0, *, marks: Sequence[int] = (-1,), lost: int | None = None
) -> list[Whole]:
    """Give payloads of one time stamp, the marker on those at ``marks``, packets missing before the one at ``lost``."""
    given_payloads = list(payloads)
    marked = {mark % len(given_payloads) for mark in marks}
    out: list[Whole] = []
    for index, payload in enumerate(given_payloads):
        packet = RtpPacket(index, stamp, index in marked, 96, 1, memoryview(payload))
        out += into.add(packet, lost=index == lost)
    return out


def units(picture: Whole) -> tuple[bytes, ...]:
    return split_annex_b(picture.data)


@given(st.integers(20, 200), st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4))
@pytest.mark.parametrize(("codec", "head"), [("H264", b"\x65\x88"), ("H265", b"\x26\x01\x88")])
def test_fragments_become_another_picture(codec: str, head: bytes, most: int, bodies: list[bytes]) -> None:
    # The first slice begins the picture, the others go on with it; no unit ends in a zero.
    first_bit = len(head) - 1
    nals = [head[:first_bit] + bytes([0x80 * (not index) | 1]) + body + b"\x01" for index, body in enumerate(bodies)]
    pictures = feed(made(codec), CODECS[codec].payloads(nals, most))
    assert [picture.data for picture in pictures] == [b"".join(b"\0\0\0\x01" + nal for nal in nals)]
    assert pictures[0].key


def test_picture_waits_for_the_next_one() -> None:
    into = made("H264")
    assert len(feed(into, [SPS, PPS, IDR], 0)) == 1
    assert [picture.stamp for picture in feed(into, [FIRST, FURTHER], 3000)] == [3000]


def test_picture_is_cut_where_a_camera_marks_every_slice() -> None:
    into = made("H264")
    pictures = feed(into, [SPS, PPS, IDR], 0) + feed(into, [FIRST, FURTHER], 3000, marks=(0, 1))
    for stamp in (6000, 9000, 12000):
        pictures += feed(into, [FIRST, FURTHER], stamp, marks=(0, 1))
    # One is broken, until the camera is found out; from then on they are whole.
    assert [units(picture) for picture in pictures[3:]] == [(FIRST, FURTHER)] * 2
    assert [picture.stamp for picture in pictures[3:]] == [6000, 9000]


def test_parameter_sets_with_a_mark_of_their_own_become_a_picture() -> None:
    (picture,) = feed(made("H264"), [SPS, PPS, IDR], marks=(0, 1, 2))
    assert units(picture) == (SPS, PPS, IDR)


def test_parameter_sets_with_another_stamp_are_lost() -> None:
    into = made("H264")
    assert not feed(into, [SPS, PPS], 0)
    assert units(feed(into, [IDR], 3000)[0]) == (SPS, PPS, IDR)


def test_pictures_without_marks_or_stamps_run_together() -> None:
    into = made("H264")
    assert not feed(into, [IDR], 0, marks=())
    assert [units(picture) for picture in feed(into, [FIRST, FURTHER, FIRST, FIRST], 0, marks=())] == [
        (IDR,),
        (FIRST, FURTHER),
        (FIRST,),
    ]


def test_end_of_a_slice_follows_its_beginning_without_the_middle() -> None:
    nal = b"\x65\x88" + bytes(range(1, 201))
    payloads = list(CODECS["H264"].payloads([nal], 50))
    (picture,) = feed(made("H264"), [payloads[0], *payloads[2:]], lost=1)
    assert units(picture) == (nal[: len(payloads[0]) - 1],)


def test_beginning_of_a_slice_is_missing_and_its_end_is_taken() -> None:
    payloads = list(CODECS["H264"].payloads([b"\x65\x88" + bytes(range(1, 201))], 50))
    assert not feed(made("H264"), payloads[1:], lost=0)


def test_aggregated_units_are_not_taken_apart() -> None:
    def together(*nals: bytes) -> bytes:
        return b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)

    (picture,) = feed(made("H264"), [b"\x78" + together(SPS, PPS, IDR)])
    assert (units(picture), picture.key) == ((SPS, PPS, IDR), True)
    vps, slice_ = b"\x40\x01\x0c", b"\x26\x01\xaf\x01"
    (picture,) = feed(made("H265"), [b"\x60\x01" + together(vps, slice_)])
    assert (units(picture), picture.key) == ((vps, slice_), True)
    assert not feed(made("H264"), [b"\x78" + together(SPS)[:-1] + b"\xff\xff"])


def test_camera_that_has_recovery_points_and_no_key_frames_is_never_begun() -> None:
    other, recovery = b"\x06\x05\xff\x02" + bytes(257), b"\x06\x01\x01\x00\x06\x01\x84\x80"
    assert not feed(made("H264"), [other, FIRST])[0].key
    assert feed(made("H264"), [recovery, FIRST])[0].key


def test_picture_without_an_end_takes_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "MOST_PICTURE_BYTES", 1000)
    into = made("H264")
    middle = b"\x7c\x05" + bytes(200)
    assert not feed(into, [b"\x7c\x85\x88" + bytes(200), *[middle] * 20], marks=())
    assert into.endless == 1
    assert len(feed(into, [IDR], 3000)) == 1


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=80), st.integers(0, 3), st.booleans(), st.booleans())))
@pytest.mark.parametrize("codec", ["H264", "H265", "JPEG"])
def test_nonsense_raises(codec: str, packets: list[tuple[bytes, int, bool, bool]]) -> None:
    into = made(codec)
    for payload, stamp, last, lost in packets:
        into.add(RtpPacket(0, stamp, last, 96, 1, memoryview(payload)), lost=lost)


def image(quality: int) -> bytes:
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:, :, 2] = np.arange(128) * 2
    picture[:48, :, 1] = 200
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return bytes(coded.tobytes())


def decoded(data: bytes) -> Any:
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(data))
    return frame.to_ndarray(format="bgr24")


@pytest.mark.parametrize("quality", [30, 50, 92])
@pytest.mark.parametrize("tables_told", [True, False])
def test_jpeg_becomes_another_image(quality: int, tables_told: bool) -> None:
    coded = image(quality)
    payloads = list(jpeg.payloads(coded, 700))
    if not tables_told:
        # As cameras do: a quality instead of the tables.
        payloads[0] = payloads[0][:8] + payloads[0][8 + 4 + 128 :]
        payloads = [payload[:5] + bytes([quality]) + payload[6:] for payload in payloads]
    (whole,) = feed(made("JPEG"), payloads)
    assert np.array_equal(decoded(whole.data), decoded(coded))


def test_jpeg_with_a_part_missing_is_shown() -> None:
    payloads = list(jpeg.payloads(image(92), 400))
    into = made("JPEG")
    assert not feed(into, [payloads[0], *payloads[2:]])
    assert not feed(into, payloads[1:], 3000)
    assert len(feed(into, payloads, 6000)) == 1
