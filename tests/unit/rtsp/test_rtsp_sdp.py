"""Descriptions as cameras write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.rtsp import sdp

AXIS = """v=0\r
o=- 1188340656180883 1 IN IP4 10.0.0.21\r
s=Session streamed with GStreamer\r
t=0 0\r
a=control:rtsp://10.0.0.21/axis-media/media.amp\r
m=video 0 RTP/AVP 96\r
b=AS:50000\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1; profile-level-id=4D0029; sprop-parameter-sets=Z00AKeKQDwBE/LgLcBAQGkHiRFQ=,aO48gA==\r
a=control:stream=0\r
a=framerate:25.000000\r
m=audio 0 RTP/AVP 0\r
a=control:stream=1\r
"""


def test_h264_with_audio() -> None:
    session = sdp.parse(AXIS)
    assert session.name == "Session streamed with GStreamer"
    assert [(media.kind, media.codec) for media in session.media] == [("video", "H264"), ("audio", "PCMU")]
    video = session.video
    assert video is not None
    assert (video.codec_name, video.control, video.frame_rate) == ("H.264", "stream=0", 25.0)
    assert video.parameters["sprop-parameter-sets"] == "Z00AKeKQDwBE/LgLcBAQGkHiRFQ=,aO48gA=="


def test_h265_and_static_mjpeg() -> None:
    hevc = sdp.parse("m=video 0 RTP/AVP 98\na=rtpmap:98 h265/90000\na=fmtp:98 sprop-vps=QA==; sprop-sps=QQ==\n")
    assert hevc.video is not None
    assert (hevc.video.codec_name, hevc.video.parameters["sprop-vps"]) == ("H.265", "QA==")
    jpeg = sdp.parse("m=video 0 RTP/AVP 26\n")
    assert jpeg.video is not None
    assert jpeg.video.codec_name == "MJPEG"


def test_other_codecs_keep_their_name() -> None:
    assert [
        media.codec_name
        for media in sdp.parse(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n"
            "m=video 0 RTP/AVP 97\na=rtpmap:97 SORENSON/90000\n"
            "m=video 0 RTP/AVP 99\n"
        ).media
    ] == ["MPEG-4 Part 2", "SORENSON", "an unnamed codec"]


def test_attributes_of_another_payload_do_not_count() -> None:
    (media,) = sdp.parse("m=video 0 RTP/AVP 96 97\na=rtpmap:97 H265/90000\na=rtpmap:96 H264/90000\n").media
    assert media.codec == "H264"


def test_audio_only_has_no_video() -> None:
    assert sdp.parse("s=-\nm=audio 0 RTP/AVP 8\n").video is None


def test_blanks_missing_ends_and_rubbish_are_survived() -> None:
    session = sdp.parse("\n s=x \nm=VIDEO 0 RTP/AVP 96\n a=rtpmap:96  H264/90000 \nrubbish\na=framerate:fast\nm=\n")
    assert session.video is not None
    assert (session.video.codec, session.video.frame_rate) == ("H264", None)


@given(st.text(max_size=400))
def test_no_text_brings_the_reader_down(text: str) -> None:
    sdp.parse(text)
    sdp.parse("m=video 0 RTP/AVP 96\na=" + text)


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("a=x-dimensions:2560,1440", (2560, 1440)),
        ("a=x-dimensions: 640, 480", (640, 480)),
        ("a=framesize:26 330-250", (330, 250)),
        ("a=x-dimensions:0,1440", None),
        ("a=framesize:26 330x250", None),
        ("a=x-dimensions:99999999,1", None),
    ],
)
def test_size_of_pictures_is_missed_or_made_up(line: str, size: tuple[int, int] | None) -> None:
    video = sdp.parse(f"v=0\r\nm=video 0 RTP/AVP 26\r\n{line}\r\n").video
    assert video is not None
    assert video.size == size
