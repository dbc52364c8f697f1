"""Names of streams are what AWS takes, and what people asked for."""

import pytest
from vedette_display.configuration import ConfigurationError, read

from vedette.kinesis_video.configuration import stream_name


def test_a_name_holds_what_aws_refuses() -> None:
    filled = stream_name("{device}-{instance}.{stream}", device="shop 7", instance="people-counter", stream="Löbby/2")
    assert filled == "shop-7-people-counter.L-bby-2"
    assert len(stream_name("{stream}", stream="x" * 400)) == 256


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{place}", "places are {device}"), ("{device", "brace"), ("{device!r}", "unknown"), ("a/b", "letters"),
        ("{device.name}", "unknown"), ("{0}", "unknown"), ("", "at least 1"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_found_out_when_pictures_come(template: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"kinesisVideo\.streamName") as caught:
        read({"kinesisVideo": {"outputs": ["*"], "streamName": template}})
    assert words in str(caught.value)
