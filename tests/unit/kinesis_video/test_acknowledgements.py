"""What AWS says of fragments, in pieces of any size, and what follows from it."""

import pytest

from vedette.kinesis_video.acknowledgement import (
    AckEvent,
    Acknowledgement,
    AcknowledgementError,
    AcknowledgementReader,
)
from vedette.kinesis_video.errors import (
    FragmentRefused,
    KinesisVideoError,
    Refused,
    StaleEndpoint,
    StreamMissing,
    Temporary,
)
from vedette.kinesis_video.faults import ACKNOWLEDGED, ANSWERS, Subject, of_acknowledgement, of_answer
from vedette.kinesis_video.upload import AFTER

SAID = (
    b'{"EventType":"BUFFERING","FragmentTimecode":1795792429398,"FragmentNumber":"9134385233"}\r\n'
    b'{"EventType":"RECEIVED","FragmentTimecode":1795792429398,"FragmentNumber":"9134385233"}\r\n'
    b'{"EventType":"IDLE"}{"Acknowledgement":{"EventType":"PERSISTED","FragmentTimecode":5,"FragmentNumber":"\xc3\xa4"}}\n'
    b'{"EventType":"NEWS"}\n{"EventType":"ERROR","ErrorId":4006,"ErrorCode":"INVALID_MKV_DATA"}'
)
SHOP = Subject("shop-7", "eu-west-1", 48)


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_an_acknowledgement_is_lost_between_two_pieces(step: int) -> None:
    reader = AcknowledgementReader()
    found = [each for at in range(0, len(SAID), step) for each in reader.feed(SAID[at : at + step])]
    assert [each.event.value for each in found] == ["BUFFERING", "RECEIVED", "IDLE", "PERSISTED", "ERROR"]
    assert found[1] == Acknowledgement(AckEvent.RECEIVED, 1795792429398, "9134385233")
    assert found[-1].error_id == 4006


@pytest.mark.parametrize(
    "data",
    [
        b"<html>", b"\xff\xff", b"[1]", b'{"EventType":"RECEIVED","FragmentTimecode":"x"}', b'{"a":"' + b"x" * 70_000,
        b'{"Acknowledgement":7}', b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"x" * 70_000,
    ],
)  # fmt: skip
def test_garbage_is_taken_for_an_acknowledgement(data: bytes) -> None:
    with pytest.raises(AcknowledgementError):
        AcknowledgementReader().feed(data)


@pytest.mark.parametrize("number", sorted(ACKNOWLEDGED))
def test_an_error_says_nothing_that_helps(number: int) -> None:
    error = of_acknowledgement(Acknowledgement(AckEvent.ERROR, 7, "1", number, "CODE"), SHOP)
    assert type(error) in AFTER
    assert f"({number} CODE)" in str(error)
    assert "{" not in str(error)


@pytest.mark.parametrize("code", sorted(ANSWERS))
def test_a_refusal_says_nothing_that_helps(code: str) -> None:
    error = of_answer(code, "x has no y", SHOP)
    assert type(error) in AFTER
    assert "{" not in str(error)


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (4002, FragmentRefused, "key frames"),
        (4003, StaleEndpoint, "lasted"),
        (4007, FragmentRefused, "clock"),
        (4008, StreamMissing, "aws kinesisvideo create-stream --stream-name shop-7"),
        (4500, Refused, "KMS key"),
        (5001, Temporary, "store"),
        (4999, FragmentRefused, "refuses"),
        (5999, Temporary, "within AWS"),
    ],
)
def test_the_wrong_thing_is_done_about_an_error(number: int, kind: type[KinesisVideoError], words: str) -> None:
    error = of_acknowledgement(Acknowledgement(AckEvent.ERROR, 7, "1", number), SHOP)
    assert type(error) is kind
    assert words in str(error)
    if isinstance(error, FragmentRefused):
        assert error.timecode_ms == 7


def test_who_lacks_a_permission_is_not_told_which() -> None:
    error = str(of_answer("AccessDeniedException", "", SHOP))
    for action in ("DescribeStream", "GetDataEndpoint", "PutMedia"):
        assert f"kinesisvideo:{action}" in error
    assert "arn:aws:kinesisvideo:eu-west-1:*:stream/shop-7/*" in error
