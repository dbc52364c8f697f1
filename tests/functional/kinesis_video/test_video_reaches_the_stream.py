"""Coded video in Kinesis Video Streams, and what becomes of it when AWS, the network or the operator are in the way.

The peer is Vedette's stand-in, which parses Matroska and checks signatures by itself, and which AWS's own producer
sends to (test_aws_producer.py).
"""

import io
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
import pytest
from av.video.frame import PictureType

from tests import waiting
from vedette.aws_calls import AwsCaller, CredentialsSource
from vedette.cloud_stand_in.errors import ServiceError
from vedette.cloud_stand_in.video import VideoStandIn
from vedette.kinesis_video import session as session_module
from vedette.kinesis_video import upload as upload_module
from vedette.kinesis_video.access import connect
from vedette.kinesis_video.avc import nals_of
from vedette.kinesis_video.faults import Subject
from vedette.kinesis_video.fragment import CodedPicture
from vedette.kinesis_video.report import UploadState
from vedette.kinesis_video.upload import Connection, VideoUpload

PATIENCE_S = 20.0
FRAME_MS = 100


eventually = partial(waiting.eventually, within_s=PATIENCE_S, every_s=0.02)


class Source:
    """Real H.264 of pictures that count, a key frame every second of stream time; as fast as it is asked for."""

    def __init__(self, size: tuple[int, int] = (320, 180)) -> None:
        self.width, self.height = size
        encoder: Any = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
        encoder.time_base = Fraction(1, 1000)
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:annexb=1"}
        self._encoder = encoder
        self.number = 0
        self.at_ms = round(time.time() * 1000)

    def second(self) -> list[CodedPicture]:
        """Return the next second: ten pictures."""
        found = []
        for _ in range(1000 // FRAME_MS):
            planes = np.full((self.height * 3 // 2, self.width), 128, np.uint8)
            planes[: self.height] = self.number * 5 % 200
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = self.number * FRAME_MS, Fraction(1, 1000)
            if self.number % (1000 // FRAME_MS) == 0:
                frame.pict_type = PictureType.I
            (packet,) = self._encoder.encode(frame)
            at_ms = self.at_ms + self.number * FRAME_MS
            nals = nals_of(bytes(packet))
            found.append(CodedPicture(nals, at_ms, self.number * FRAME_MS, packet.is_keyframe))
            self.number += 1
        return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoStandIn]:
    with VideoStandIn() as stand_in:
        point_at(monkeypatch, stand_in.url)
        yield stand_in


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL_KINESIS_VIDEO", url), ("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., VideoUpload]]:
    """Start uploads to stream ``shop``; they end with the test. Waits are shortened, their order is not."""
    monkeypatch.setattr(session_module, "PACE_S", 0.02)
    monkeypatch.setattr(upload_module, "STOP_S", 0.4)
    for kind, waits in upload_module.AFTER.items():
        monkeypatch.setitem(upload_module.AFTER, kind, waits._replace(first_s=0.05, most_s=0.3))
    begun: list[VideoUpload] = []

    def start(way: Callable[[], Connection] = lambda: connect("us-east-1"), **options: Any) -> VideoUpload:
        upload = VideoUpload("people-counter/lobby", Subject("shop", "us-east-1", 24), way, **options)
        begun.append(upload)
        upload.start()
        return upload

    yield start
    for upload in begun:
        upload.end()
    eventually(lambda: not any(upload.alive for upload in begun), "the uploads end")


def put(upload: VideoUpload, source: Source, seconds: int = 1) -> None:
    for _ in range(seconds):
        for picture in source.second():
            upload.add(picture)


def create(aws: VideoStandIn, hours: int = 24) -> Any:
    return aws.streams.create({"StreamName": "shop", "DataRetentionInHours": hours}, time.time())


def pictures(data: bytes) -> int:
    with av.open(io.BytesIO(data), "r") as container:
        return sum(1 for _ in container.decode(video=0))


def test_what_arrives_is_not_what_was_encoded(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    stream = create(aws)
    source = Source()
    began_ms = source.at_ms
    upload = start()
    put(upload, source, 4)
    eventually(lambda: upload.report().acknowledged == 3, "three seconds are acknowledged; the fourth is not whole")
    assert [fragment.producer_ms - began_ms for fragment in stream.fragments] == [0, 1000, 2000]
    assert all(fragment.blocks[0].key and len(fragment.blocks) == 10 for fragment in stream.fragments)
    upload.end()
    eventually(lambda: len(stream.fragments) == 4, "the last pictures arrive when the component stops")
    eventually(lambda: not upload.alive, "the upload ends")
    assert aws.calls == ["DescribeStream", "GetDataEndpoint", "PutMedia"]
    report = upload.report()
    assert report.errors == 0
    assert report.acknowledged_bytes == sum(len(fragment.raw) for fragment in stream.fragments)
    assert (report.state, report.dropped, report.waiting_bytes, report.last_error) == (UploadState.IDLE, 0, 0, "")
    aws.patience_s = 0.2
    # What somebody gets who asks AWS for it, by AWS's own client.
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    media = boto3.client("kinesis-video-media", endpoint_url=aws.url, **keys)
    answer = media.get_media(StreamName="shop", StartSelector={"StartSelectorType": "EARLIEST"})
    played = answer["Payload"].read()
    media.close()
    assert pictures(played) == 40


def test_a_stream_that_keeps_nothing_is_never_acknowledged(
    aws: VideoStandIn, start: Callable[..., VideoUpload]
) -> None:
    create(aws, hours=0)
    upload, source = start(), Source()
    put(upload, source, 3)
    eventually(lambda: upload.report().acknowledged == 2, "received is enough where nothing is kept")


def test_a_missing_stream_is_made_although_nobody_asked(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    upload, source = start(), Source()
    put(upload, source, 2)
    report = eventually(lambda: upload.report() if upload.report().last_error else None, "it is told")
    assert report.state is UploadState.REFUSED
    assert "aws kinesisvideo create-stream --stream-name shop" in report.last_error
    assert "kinesisvideo:CreateStream" in report.last_error
    assert "CreateStream" not in aws.calls
    create(aws)
    eventually(lambda: upload.report().acknowledged, "somebody made it: nothing else is to be done")
    assert upload.report().last_error == ""


def test_a_stream_is_not_made_or_keeps_nothing(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    upload = start(create=True)
    put(upload, Source(), 2)
    eventually(lambda: upload.report().acknowledged, "it arrives")
    stream = aws.stream("shop")
    assert (stream.facts["DataRetentionInHours"], stream.facts["MediaType"]) == (24, "video/h264")


def test_a_stream_that_somebody_deleted_is_not_made_again(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    deleted = create(aws)
    upload, source = start(create=True), Source()
    put(upload, source, 2)
    eventually(lambda: upload.report().acknowledged, "it arrives")
    aws.streams.delete(deleted.arn)
    put(upload, source, 2)
    made = eventually(lambda: next((s for s in aws.streams.all() if s.fragments), None), "it is made again")
    assert made.facts["Version"] != deleted.facts["Version"]


class Refusal(ServiceError):
    def __init__(self, code: str, status: int) -> None:
        super().__init__("refused")
        self.code, self.status = code, status


@pytest.mark.parametrize(
    ("operation", "code", "status", "state", "words"),
    [
        ("DescribeStream", "AccessDeniedException", 403, UploadState.REFUSED, "kinesisvideo:DescribeStream"),
        ("PutMedia", "NotAuthorizedException", 401, UploadState.REFUSED, "kinesisvideo:PutMedia"),
        ("PutMedia", "ConnectionLimitExceededException", 400, UploadState.WAITING, "another sender"),
    ],
)  # fmt: skip
def test_a_refusal_is_for_ever_or_does_not_say_what_helps(
    aws: VideoStandIn, start: Callable[..., VideoUpload], operation: str, code: str, status: int, state: UploadState,
    words: str, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    stream = create(aws)
    aws.refuse = lambda called: Refusal(code, status) if called == operation else None
    upload = start()
    put(upload, Source(), 2)
    report = eventually(lambda: upload.report() if upload.report().last_error else None, "it is told")
    assert report.state is state
    assert words in report.last_error
    aws.refuse = lambda _: None
    eventually(lambda: upload.report().acknowledged, "it goes on by itself")
    assert pictures(stream.fragments[0].header + stream.fragments[0].raw) == 10
    for secret in ("Signature=", "Credential="):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("number", "arrive"),
    [(4002, 2), (4003, 3), (5001, 3)],
)
def test_one_error_costs_more_than_its_fragment(
    aws: VideoStandIn, start: Callable[..., VideoUpload], number: int, arrive: int
) -> None:
    stream = create(aws)
    faults = [number]
    aws.fault = lambda position: faults.pop() if position == 1 and faults else None
    source = Source()
    upload = start()
    put(upload, source, 4)
    eventually(lambda: len({f.producer_ms for f in stream.fragments}) == arrive, "the others arrive")
    eventually(lambda: not upload.report().last_error, "it is well again")
    assert upload.report().errors
    assert upload.report().dropped == 3 - arrive


def test_a_network_that_goes_loses_what_had_room(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    stream = create(aws)
    upload, source = start(), Source()
    put(upload, source, 3)
    eventually(lambda: upload.report().acknowledged == 2, "it sends")
    aws.refuse = lambda _: Refusal("ServiceUnavailable", 503)
    aws.hang_up()
    put(upload, source, 5)
    eventually(lambda: upload.report().last_error, "it is told")
    assert upload.report().waiting_bytes > 0
    aws.refuse = lambda _: None
    eventually(lambda: len({f.producer_ms for f in stream.fragments}) == 7, "all follow, in order")
    assert [f.producer_ms for f in stream.fragments] == sorted(f.producer_ms for f in stream.fragments)


def test_a_link_that_is_too_slow_fills_the_memory(
    aws: VideoStandIn, start: Callable[..., VideoUpload], caplog: pytest.LogCaptureFixture
) -> None:
    create(aws)
    first = Source().second()[0]
    aws.reads.clear()
    upload = start(megabytes=1)
    most = 0
    for number in range(120):
        key = number % 10 == 0
        nals = (*first.nals[:-1], b"\x65" + bytes(30_000)) if key else (b"\x41" + bytes(30_000),)
        upload.add(first._replace(nals=nals, at_ms=first.at_ms + number * FRAME_MS, key=key))
        most = max(most, upload.report().waiting_bytes)
    assert most < 1_400_000, "the one that is being made comes on top"
    assert upload.report().dropped > 5
    aws.reads.set()
    eventually(lambda: upload.report().waiting_bytes == 0, "the newest arrive")
    last = aws.stream("shop").fragments[-1]
    assert last.producer_ms == first.at_ms + 100 * FRAME_MS
    eventually(lambda: "are lost" in caplog.text, "it is said how much is missing")


def test_a_stop_waits_for_a_link_that_has_gone(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    create(aws)
    upload, source = start(), Source()
    put(upload, source, 2)
    eventually(lambda: upload.report().acknowledged, "it sends")
    aws.reads.clear()
    put(upload, source, 10)
    upload.end()
    upload.join(10.0)
    assert not upload.alive


def test_credentials_that_expire_end_a_fragment_in_the_middle(
    aws: VideoStandIn, start: Callable[..., VideoUpload], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = create(aws)
    monkeypatch.setattr(upload_module, "EXPIRY_S", 0.0)
    aws.secrets["second"] = "other"
    expires = [time.time() + 1.0, time.time() + 3600.0]
    ways: list[Any] = []

    def way() -> Connection:
        source = CredentialsSource()

        def expires_at() -> float:
            # Asked once a request: AWS's word is the stand-in's, which refuses the old key from then on.
            ways.append(1)
            if len(ways) == 2:
                monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
                monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
            return expires[min(len(ways), 2) - 1]

        return Connection(AwsCaller("kinesisvideo", "us-east-1", source), expires_at)

    upload, source = start(way), Source()
    put(upload, source, 2)
    eventually(lambda: len(ways) == 2 or put_slowly(upload, source), "a second request")
    put(upload, source, 2)
    eventually(lambda: stream.sessions == 2 and upload.report().waiting_bytes == 0, "all is acknowledged")
    numbers = [fragment.producer_ms for fragment in stream.fragments]
    assert numbers == list(range(numbers[0], numbers[-1] + 1, 1000)), "none twice, none missing"
    assert upload.report().last_error == ""


def put_slowly(upload: VideoUpload, source: Source) -> bool:
    put(upload, source)
    return threading.Event().wait(0.2)


def test_another_size_is_sent_under_the_old_header(aws: VideoStandIn, start: Callable[..., VideoUpload]) -> None:
    stream = create(aws)
    small, large = Source((320, 180)), Source((640, 360))
    upload = start()
    put(upload, small, 2)
    large.at_ms = small.at_ms + 2000
    put(upload, large, 2)
    eventually(lambda: len(stream.fragments) == 3, "both sizes arrive")
    assert stream.sessions == 2
    assert [pictures(f.header + f.raw) for f in stream.fragments] == [10, 10, 10]
    assert stream.fragments[0].header != stream.fragments[2].header


def test_video_of_a_device_whose_clock_is_wrong_bears_that_clock(
    aws: VideoStandIn, start: Callable[..., VideoUpload]
) -> None:
    stream = create(aws)
    ahead_s = 86_400.0

    def way() -> Connection:
        caller = AwsCaller("kinesisvideo", "us-east-1", CredentialsSource(), wall=lambda: time.time() + ahead_s)
        return Connection(caller, lambda: None)

    source = Source()
    real_ms = source.at_ms
    source.at_ms += round(ahead_s * 1000)
    upload = start(way)
    put(upload, source, 3)
    eventually(lambda: upload.report().acknowledged == 2, "the request is signed with AWS's time, and acknowledged")
    assert abs(stream.fragments[0].producer_ms - real_ms) < 5000


def test_a_foreign_certificate_gets_video(
    start: Callable[..., VideoUpload], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    with VideoStandIn(certificate=(certificate, key)) as aws:
        stream = create(aws)
        point_at(monkeypatch, aws.url)
        from vedette.aws_calls import transport

        monkeypatch.setattr(transport, "_tls", transport._tls.__wrapped__)
        upload, source = start(), Source()
        put(upload, source, 2)
        report = eventually(lambda: upload.report() if upload.report().last_error else None, "it is refused")
        assert "certificate is not trusted" in report.last_error
        assert stream.sessions == 0
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        put(upload, source, 1)
        eventually(lambda: upload.report().acknowledged, "it arrives over TLS, both ways on one connection")
        upload.end()
        upload.join()


def test_a_server_that_says_nothing_is_waited_for_without_end(
    start: Callable[..., VideoUpload], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_at(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        upload = start()
        put(upload, Source(), 2)
        upload.end()
        upload.join()
        # The first call has time-outs of its own; the process does not wait for its thread.
        assert upload.report().acknowledged == 0
        silent.close()
        eventually(lambda: not upload.alive, "it ends", within_s=40.0)
