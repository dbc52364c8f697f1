"""A camera's own pictures in Kinesis Video Streams: byte for byte, without a decoder or an encoder."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from av.bitstream import BitStreamFilterContext
from vedette_camera_ingest.ingest import CameraIngest

from tests.functional.camera_ingest.camera_clips import write_clip
from tests.waiting import eventually
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.cloud_stand_in.video import VideoStandIn
from vedette.kinesis_video.avc import nals_of
from vedette.messages import CameraDemand, CameraSource
from vedette.rtsp_server import FileMount, StreamServer

SLICES = (1, 5)


@pytest.fixture
def ingest(broker: MemoryBroker, tmp_path: Path) -> Iterator[MemoryBus]:
    """Return the bus of an application that may want cameras of a real CameraIngest."""
    stop = threading.Event()
    bus, application = MemoryBus(broker, "vedette.CameraIngest"), MemoryBus(broker, "application")
    thread = threading.Thread(target=CameraIngest(bus, tmp_path / "ingest", stop).run)
    thread.start()
    yield application
    stop.set()
    thread.join(10)
    application.close()
    bus.close()


def test_a_camera_is_decoded_or_encoded_to_be_uploaded(
    start_display: Any, ingest: MemoryBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "lobby.mp4", gop=10)
    with VideoStandIn(region="eu-west-1") as aws, StreamServer(port=0) as server:
        for name, value in (
            ("AWS_ENDPOINT_URL_KINESIS_VIDEO", aws.url), ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"), ("AWS_REGION", "eu-west-1"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        display = start_display(kinesisVideo={"cameras": ["lob*"], "cameraStreamName": "shop-{camera}", "create": True})
        server.add("lobby", FileMount(clip))
        source = CameraSource(name="lobby", url=server.url("lobby"))
        demand = CameraDemand(source=source, instance="people-counter", node="camera")

        def arrived() -> Any:
            ingest.publish(CameraDemand.topic(source.camera_id), demand.encode())
            streams = aws.streams.all()
            return streams and streams[0].fragments

        eventually(arrived, "it arrives")
        (stream,) = aws.streams.all()
        fragment = stream.fragments[0]
        status = eventually(lambda: [u for u in display.status().uploads if u.acknowledged], "it is told")[0]
        assert display.status().encoded == 0
    assert (status.what, status.where) == ("video camera lobby", "stream shop-lobby in eu-west-1")
    taken = [nal for block in fragment.blocks for nal in behind_lengths(block.data) if nal[0] & 0x1F in SLICES]
    assert len(taken) >= 5
    assert set(taken) <= sent(clip), "what arrives is what the camera sent"
    assert abs(fragment.producer_ms / 1000 - time.time()) < 60


def sent(clip: Path) -> set[bytes]:
    """Return the slices in a video file."""
    with av.open(str(clip), "r") as container:
        video = container.streams.video[0]
        unpack = BitStreamFilterContext("h264_mp4toannexb", video)
        packets = [out for packet in container.demux(video) for out in unpack.filter(packet)]
    return {nal for packet in packets for nal in nals_of(bytes(packet)) if nal[0] & 0x1F in SLICES}


def behind_lengths(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found
