"""The stand-in as AWS's own producer finds it, so that Vedette is not only tried against Vedette.

``VEDETTE_KVSSINK``: the folder with ``libgstkvssink.so`` of awslabs/amazon-kinesis-video-streams-producer-sdk-cpp
(``cmake -DBUILD_GSTREAMER_PLUGIN=ON -DBUILD_DEPENDENCIES=OFF``; apt: cmake, libcurl4-openssl-dev, liblog4cplus-dev,
libgstreamer-plugins-base1.0-dev, gstreamer1.0-plugins-ugly and -bad, gstreamer1.0-tools).
"""

import io
import os
import subprocess
from pathlib import Path

import av
import pytest

from vedette.cloud_stand_in.video import StoredFragment, VideoStandIn
from vedette.kinesis_video.matroska import Sample, Track, cluster, header

KVSSINK = os.environ.get("VEDETTE_KVSSINK", "")
pytestmark = [
    pytest.mark.skipif(not KVSSINK, reason="VEDETTE_KVSSINK does not name a folder with AWS's libgstkvssink.so"),
    pytest.mark.timeout(120),
]
SECRETS = {"AKIA0000000000000001": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY01"}
MASTERS = {0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675}


def produce(aws: VideoStandIn, folder: Path, seconds: int, *, secret: str = "", limit_s: int = 60) -> str:
    """Let AWS's producer send a test picture; return what it said."""
    pipeline = (
        f"videotestsrc is-live=true num-buffers={15 * seconds} ! video/x-raw,width=640,height=360,framerate=15/1"
        " ! x264enc tune=zerolatency key-int-max=30 bitrate=500"
        " ! video/x-h264,stream-format=avc,alignment=au,profile=baseline ! h264parse"
        f" ! kvssink stream-name=probe retention-period=5 aws-region={aws.region}"
    )
    environment = {
        **os.environ, "GST_PLUGIN_PATH": KVSSINK, "LD_LIBRARY_PATH": KVSSINK, "CONTROL_PLANE_URI": aws.url,
        "AWS_ACCESS_KEY_ID": "AKIA0000000000000001",
        "AWS_SECRET_ACCESS_KEY": secret or SECRETS["AKIA0000000000000001"], "AWS_KVS_LOG_LEVEL": "2",
    }  # fmt: skip
    command = ["timeout", str(limit_s), "gst-launch-1.0", "-e", *pipeline.split()]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def elements(data: bytes, depth: int = 0) -> list[tuple[int, int]]:
    """Return depth and number of each element, written without the reader's help."""
    found, position = [], 0
    while position < len(data):
        length = 9 - data[position].bit_length()
        number = int.from_bytes(data[position : position + length], "big")
        position += length
        width = 9 - data[position].bit_length()
        size = int.from_bytes(data[position : position + width], "big") & (1 << 7 * width) - 1
        position += width
        end = len(data) if size == (1 << 7 * width) - 1 else position + size
        found.append((depth, number))
        if number in MASTERS:
            found += elements(data[position:end], depth + 1)
        position = end
    return found


def test_the_stand_in_is_not_what_aws_producer_knows(tmp_path: Path) -> None:
    with VideoStandIn(secrets=SECRETS) as aws:
        said = produce(aws, tmp_path, 6)
        stream = aws.stream("probe")
    assert aws.calls == ["DescribeStream", "CreateStream", "GetDataEndpoint", "PutMedia"]
    assert stream.facts["DataRetentionInHours"] == 5
    assert sum(len(fragment.blocks) for fragment in stream.fragments) == 90
    assert all(fragment.blocks[0].key for fragment in stream.fragments)
    data = stream.fragments[0].header + b"".join(fragment.raw for fragment in stream.fragments)
    with av.open(io.BytesIO(data), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 90
    assert said.count('"EventType":"PERSISTED"') == len(stream.fragments)
    assert "Indicating an EOS after last persisted ACK is received" in said, "it took the acknowledgements for AWS's"


def test_an_error_of_the_stand_in_is_another_than_aws_producer_knows(tmp_path: Path) -> None:
    faults = [5001]
    with VideoStandIn(secrets=SECRETS) as aws:
        aws.fault = lambda position: faults.pop() if position == 2 and faults else None
        said = produce(aws, tmp_path, 8)
        stream = aws.stream("probe")
    assert stream.sessions == 2, said[-3000:]
    assert len({fragment.producer_ms for fragment in stream.fragments}) >= 4


def test_a_wrong_secret_is_taken(tmp_path: Path) -> None:
    with VideoStandIn(secrets=SECRETS) as aws:
        said = produce(aws, tmp_path, 2, secret="wrong", limit_s=8)
        assert aws.streams.all() == []
    assert "403" in said


def test_our_matroska_has_an_element_that_aws_producer_does_not_send(tmp_path: Path) -> None:
    with VideoStandIn(secrets=SECRETS) as aws:
        produce(aws, tmp_path, 3)
        theirs: StoredFragment = aws.stream("probe").fragments[0]
    (track,) = theirs.tracks
    ours = header(Track(track.private, 640, 360), bytes(16), "vedette")
    lacing, position = 0x9C, 0xA7
    assert set(elements(ours)) - set(elements(theirs.header)) <= {(3, lacing)}
    samples = [Sample(block.data, block.timecode, block.key) for block in theirs.blocks]
    assert set(elements(cluster(samples))) == set(elements(theirs.raw)) - {(1, position)}
    title = 0x7BA9
    assert set(elements(theirs.header)) - set(elements(ours)) == {(2, title)}
