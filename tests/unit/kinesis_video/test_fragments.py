"""Pictures become fragments that Kinesis Video Streams takes."""

from fractions import Fraction
from typing import Any

import av
import pytest

from vedette.cloud_stand_in.video.matroska_reader import MatroskaError, MatroskaReader
from vedette.kinesis_video.avc import configuration_record, nals_of, sample, track_of
from vedette.kinesis_video.fragment import CodedPicture, Fragment, FragmentMaker
from vedette.kinesis_video.matroska import Sample, Track, cluster, header

SPS, PPS = bytes.fromhex("6742c016d900a02ff97016a0"), bytes.fromhex("68cb83cb20")
KEY = (SPS, PPS, b"\x65\x88picture")
WALL = 1_795_792_420_598


def picture(at_ms: int, *, key: bool = False, run_ms: int | None = None) -> CodedPicture:
    nals = KEY if key else (b"\x09\xf0", b"\x41\x9apicture")
    return CodedPicture(nals, WALL + at_ms, at_ms if run_ms is None else run_ms, key)


def fragments(*pictures: CodedPicture) -> list[Fragment]:
    found: list[Fragment] = []
    maker = FragmentMaker(found.append, "shop/lobby")
    for each in pictures:
        maker.add(each)
    maker.flush()
    return found


def times(fragment: Fragment) -> list[int]:
    return [each.at_ms - WALL for each in fragment.samples]


def test_a_fragment_begins_in_the_middle_of_pictures() -> None:
    found = fragments(picture(0), *(picture(400 * n, key=n in (3, 6)) for n in range(1, 9)))
    assert [times(each) for each in found] == [[1200, 1600, 2000], [2400, 2800, 3200]]
    assert all(each.samples[0].key for each in found)


def test_a_picture_that_stands_still_stops_time() -> None:
    found = fragments(
        picture(0, key=True, run_ms=5000), picture(0, run_ms=6000), picture(0, run_ms=7000), picture(2100, run_ms=7100)
    )
    assert [times(each) for each in found] == [[0, 1000, 2000, 2100]]


def test_two_pictures_have_the_same_time_or_one_goes_back() -> None:
    found = fragments(picture(0, key=True), picture(1100), picture(1040), picture(1101, key=True))
    assert [times(each) for each in found] == [[0, 1100, 1101], [1102]]


def test_fragments_are_shorter_than_aws_takes() -> None:
    found = fragments(*(picture(100 * n, key=n % 4 == 0) for n in range(30)))
    assert [times(each)[0] for each in found] == [0, 1200, 2400]
    assert [sum(sample.key for sample in each.samples) for each in found] == [3, 3, 2]


def test_a_clock_that_was_set_back_is_smoothed_for_hours() -> None:
    found = fragments(picture(0, key=True), picture(100), picture(-60_000), picture(-59_000, key=True))
    assert [(times(each), each.restart) for each in found] == [
        ([0, 100], False), ([-60_000], True), ([-59_000], False),
    ]  # fmt: skip


def test_a_camera_without_key_frames_makes_fragments_that_aws_refuses(caplog: pytest.LogCaptureFixture) -> None:
    found = fragments(*(picture(1000 * n, key=n == 0) for n in range(25)))
    assert max(each.seconds for each in found) < 10
    assert sum(len(each.samples) for each in found) == 25
    assert caplog.text.count("key frame interval") == 1


def test_pictures_after_a_gap_refer_to_what_is_missing() -> None:
    found = fragments(picture(0, key=True), picture(60_000), picture(60_100), picture(61_000, key=True))
    assert [times(each) for each in found] == [[0], [61_000]]


def test_the_track_lacks_what_a_decoder_needs() -> None:
    (fragment,) = fragments(picture(0, key=True), picture(40))
    record = fragment.track.configuration
    assert record[:6] == bytes([1, 0x42, 0xC0, 0x16, 0xFF, 0xE1])
    assert (SPS in record, PPS in record) == (True, True)
    assert [each.data for each in fragment.samples] == [b"\0\0\0\x09\x65\x88picture", b"\0\0\0\x09\x41\x9apicture"]
    assert configuration_record((SPS,)) is None
    assert (fragment.track.width, fragment.track.height) == (640, 360)


def test_start_codes_become_lengths() -> None:
    data = b"\0\0\0\1\x09\xf0\0\0\1\x65abc\0\0\0\1\x65defg"
    assert sample(nals_of(data)) == b"\0\0\0\4\x65abc\0\0\0\5\x65defg"


@pytest.mark.parametrize(
    ("profile", "pixels", "width", "height", "end"),
    [
        ("baseline", "yuv420p", 640, 360, None),
        ("main", "yuv420p", 1920, 1080, None),
        ("high", "yuv420p", 1920, 1080, b"\xfd\xf8\xf8\x00"),
        ("high", "yuv420p", 2592, 1944, b"\xfd\xf8\xf8\x00"),
        ("high", "yuv420p", 354, 290, b"\xfd\xf8\xf8\x00"),
        ("high422", "yuv422p10le", 1280, 720, b"\xfe\xfa\xfa\x00"),
        ("high444", "yuv444p", 642, 482, b"\xff\xf8\xf8\x00"),
    ],
)
def test_the_size_in_the_header_is_another_than_the_pictures(
    profile: str, pixels: str, width: int, height: int, end: bytes | None
) -> None:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, pixels, Fraction(1, 15)
    encoder.options = {"preset": "superfast", "profile": profile, "tune": "zerolatency", "x264-params": "annexb=1"}
    frame = av.VideoFrame(width, height, pixels)
    frame.pts = 0
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    track = track_of(nals_of(b"".join(bytes(packet) for packet in encoder.encode(frame))))
    assert track is not None
    assert (track.width, track.height) == (width, height)
    if end is not None:
        assert track.configuration.endswith(end)


@pytest.mark.parametrize("damaged", ["67", "67640028", "6764002800000000", "6764002800000001"])
def test_a_damaged_parameter_set_ends_the_upload(damaged: str) -> None:
    assert track_of((bytes.fromhex(damaged), PPS)) is None


def stream(*clusters: bytes) -> bytes:
    return header(Track(configuration_record(KEY) or b"", 640, 360), bytes(range(16)), "vedette") + b"".join(clusters)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_the_matroska_says_something_else_than_was_put(step: int) -> None:
    samples = [Sample(b"k" * 200, WALL, True), Sample(b"p" * 20_000, WALL + 40, False)]
    data = stream(cluster(samples), cluster([Sample(b"n", WALL + 80, True)], earlier_ms=1000))
    reader = MatroskaReader()
    found = [each for at in range(0, len(data), step) for each in reader.feed(data[at : at + step]) if each.ended]
    assert [(block.timecode, block.key, len(block.data)) for each in found for block in each.blocks] == [
        (WALL, True, 200), (WALL + 40, False, 20_000), (WALL - 920, True, 1),
    ]  # fmt: skip
    (track,) = reader.tracks
    assert (track.number, track.codec, track.private[:1]) == (1, "V_MPEG4/ISO/AVC", b"\x01")
    assert bytes(reader.header) + b"".join(bytes(each.raw) for each in found) == data


def test_a_cluster_is_longer_than_its_times_reach() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        cluster([Sample(b"", WALL, True), Sample(b"", WALL + 40_000, False)])


@pytest.mark.parametrize(
    "data",
    [
        b"\0garbage", b"RIFF....AVI LIST", stream(cluster([Sample(b"", 1, True)])) + stream(),
        header(Track(b"", 1, 1), bytes(16), "x")[:40] + cluster([Sample(b"", 1, True)]),
    ],
)  # fmt: skip
def test_anything_is_taken_for_matroska(data: bytes) -> None:
    with pytest.raises(MatroskaError):
        list(MatroskaReader().feed(data))
