"""Outputs in Kinesis Video Streams: which, as what, and what people are told when they are not there."""

import io
from collections.abc import Iterator
from typing import Any

import av
import pytest

from tests.waiting import eventually
from vedette.cloud_stand_in.video import VideoStandIn

from .test_display_controls import known


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoStandIn]:
    with VideoStandIn(region="eu-west-1") as stand_in:
        for name, value in (
            ("AWS_ENDPOINT_URL_KINESIS_VIDEO", stand_in.url), ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"), ("AWS_REGION", "eu-west-1"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        yield stand_in


def test_an_output_is_uploaded_unasked_or_without_its_boxes(
    start_display: Any, start_application: Any, aws: VideoStandIn
) -> None:
    display = start_display(
        kinesisVideo={"outputs": ["people-counter"], "streamName": "{instance}-{stream}", "create": True}
    )
    application = start_application()
    other = start_application("ppe-check", "yard")
    known(display, application)
    eventually(lambda: aws.streams.all() and aws.streams.all()[0].fragments, "it arrives")
    (stream,) = aws.streams.all()
    assert (stream.name, stream.facts["DataRetentionInHours"]) == ("people-counter-lobby", 24)
    assert other.ring.readers == 0, "who is not uploaded is not encoded"
    fragment = stream.fragments[0]
    with av.open(io.BytesIO(fragment.header + fragment.raw), "r") as container:
        image = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert image.shape == (360, 640, 3)
    box = image[70:74, 100:200].reshape(-1, 3).astype(int)
    assert abs(box - application.base[0, 0]).max() > 60, "the upper edge of the box is drawn"
    status = eventually(lambda: [u for u in display.status().uploads if u.acknowledged], "it is told")[0]
    assert (status.what, status.where) == (
        "video people-counter/lobby", "stream people-counter-lobby in eu-west-1",
    )  # fmt: skip
