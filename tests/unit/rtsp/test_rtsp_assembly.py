"""Pictures out of RTP payloads, as many packets as they take and whatever cameras do with the marker."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.rtsp import assembly
from vedette.rtsp.assembly import Assembly, assembly_of
from vedette.rtsp.coded_picture import Whole
from vedette.rtsp.jpeg_images import JpegAssembly
from vedette.rtsp.rtp import RtpPacket, parse
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


def jpeg_picture(width: int, height: int, *more: int) -> bytes:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 2] = np.arange(width) * 255 // width
    picture[: height // 2, :, 1] = 200
    return bytes(cv2.imencode(".jpg", picture, list(more))[1].tobytes())


def without_sizes(payloads: Iterable[bytes]) -> list[bytes]:
    return [payload[:6] + b"\0\0" + payload[8:] for payload in payloads]


def scan_payloads(coded: bytes) -> list[bytes]:
    """Return payloads of an image that RFC 2435 has no numbers for."""
    scan = coded[coded.index(b"\xff\xda") + 14 : -2]
    tables = b"".join(coded[at + 5 : at + 69] for at in range(len(coded)) if coded[at : at + 4] == b"\xff\xdb\0\x43")
    parts = [scan[at : at + 1300] for at in range(0, len(scan), 1300)]
    heads = [struct.pack(">IBBBB", 1300 * index, 1, 255, 0, 0) for index in range(len(parts))]
    heads[0] += struct.pack(">BBH", 0, 0, len(tables)) + tables
    return [head + part for head, part in zip(heads, parts, strict=True)]


def test_jpeg_larger_than_its_header_can_say_is_left_out_in_silence() -> None:
    coded = jpeg_picture(2560, 1440)
    payloads = scan_payloads(coded)
    told = assembly_of("JPEG", (2560, 1440))
    assert told is not None
    (whole,) = feed(told, payloads)
    assert np.array_equal(decoded(whole.data), decoded(coded))
    untold = made("JPEG")
    assert not feed(untold, payloads)
    assert isinstance(untold, JpegAssembly)
    assert untold.unsized == 1


@pytest.mark.parametrize(("told", "size"), [((330, 250), (330, 250)), ((640, 480), (336, 256)), (None, (336, 256))])
def test_jpeg_is_shown_with_its_padding_or_in_a_size_of_before(
    told: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    coded = jpeg_picture(330, 250)
    payloads = [payload[:6] + bytes([42, 32]) + payload[8:] for payload in scan_payloads(coded)]
    into = assembly_of("JPEG", told)
    assert into is not None
    (whole,) = feed(into, payloads)
    height, width, _ = decoded(whole.data).shape
    assert (width, height) == size


def segments_of(coded: bytes, *markers: int) -> bytes:
    position, found = 2, b""
    while coded[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(coded[position + 2 : position + 4], "big")
        found += coded[position:end] * (coded[position + 1] in markers)
        position = end
    return found


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize(
    "more",
    [(), (cv2.IMWRITE_JPEG_OPTIMIZE, 1), (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)],
)
def test_what_onvif_says_of_an_image_is_passed_over(more: tuple[int, ...], replayed: bool) -> None:
    """Sizes over 2040, other tables, another sampling: in a header extension (ONVIF streaming specification, 5.1.3)."""
    coded = jpeg_picture(2048, 1536, *more)
    head = segments_of(coded, 0xDB, 0xC0, 0xC4)
    head += b"\xff" * (-len(head) % 4)
    extension = b"\xff\xd8" + struct.pack(">H", len(head) // 4) + head
    if replayed:
        extension = b"\xab\xac" + struct.pack(">H", 3 + len(extension) // 4) + bytes(12) + extension
    into = made("JPEG")
    out: list[Whole] = []
    payloads = scan_payloads(coded)
    for index, payload in enumerate(payloads):
        first = 0x90 if index == 0 else 0x80
        mark = 0x80 * (index == len(payloads) - 1)
        data = struct.pack(">BBHII", first, 26 | mark, index, 3000, 1) + (extension if index == 0 else b"") + payload
        packet = parse(memoryview(data))
        assert packet is not None
        out += into.add(packet, lost=False)
    assert np.array_equal(decoded(out[0].data), decoded(coded))


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=200))
def test_a_head_of_rubbish_raises_or_costs_the_next_image(rubbish: bytes) -> None:
    into, payloads = made("JPEG"), list(jpeg.payloads(image(50), 700))
    for index, payload in enumerate(payloads):
        last = index == len(payloads) - 1
        into.add(RtpPacket(index, 1, last, 26, 1, memoryview(payload), memoryview(rubbish)), lost=False)
    (whole,) = feed(into, payloads, 2)
    assert np.array_equal(decoded(whole.data), decoded(image(50)))
