"""Which outputs are uploaded, and to which streams."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vedette_display.configuration import KinesisVideoConfiguration
from vedette_display.kinesis import MOST, KinesisUploads

LOBBY = ("people-counter.video_out.lobby", "people-counter", "video_out", "lobby")
YARD = ("people-counter.video_out.yard", "people-counter", "video_out", "yard")
PPE = ("ppe-check.video_out.yard", "ppe-check", "video_out", "yard")


class Feeds:
    """Outputs without pictures."""

    def __init__(self) -> None:
        self.attached: list[str] = []

    def attach(self, output_id: str, variant: Any, sink: Callable[..., None]) -> Callable[[], None]:
        self.attached.append(output_id)
        return lambda: self.attached.remove(output_id)


@pytest.fixture
def begin() -> Iterator[Callable[..., tuple[KinesisUploads, Feeds]]]:
    running: list[KinesisUploads] = []

    def begin(**configuration: Any) -> tuple[KinesisUploads, Feeds]:
        feeds = Feeds()
        uploads = KinesisUploads(
            feeds,  # type: ignore[arg-type]
            lambda _: None,
            KinesisVideoConfiguration.model_validate(configuration),
            "shop-7",
            lambda _: pytest.fail("nothing is to be sent"),
        )
        running.append(uploads)
        return uploads, feeds

    yield begin
    for uploads in running:
        uploads.stop()


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["people-counter"], [LOBBY, YARD]),
        (["people-counter/lobby", "ppe-check/*"], [LOBBY, PPE]),
        (["*"], [LOBBY, YARD, PPE]),
        (["*/yard"], [YARD, PPE]),
        (["people"], []),
    ],
)
def test_another_output_is_uploaded(
    begin: Callable[..., tuple[KinesisUploads, Feeds]], patterns: list[str], wanted: list[tuple[str, ...]]
) -> None:
    uploads, feeds = begin(outputs=patterns)
    uploads.follow([LOBBY, YARD, PPE])
    uploads.follow([LOBBY, YARD, PPE])
    assert sorted(feeds.attached) == sorted(each[0] for each in wanted)
    names = [each.where for each in uploads.statuses()]
    assert names == [f"stream shop-7-{each[1]}-{each[3]} in us-east-1" for each in sorted(wanted)]
    uploads.follow([])
    assert feeds.attached == []
    assert uploads.statuses() == []


def test_two_outputs_share_a_stream(begin: Callable[..., tuple[KinesisUploads, Feeds]]) -> None:
    uploads, feeds = begin(outputs=["*"], streamName="{device}-{stream}")
    uploads.follow([YARD, PPE])
    assert feeds.attached == [YARD[0]]
    first, second = uploads.statuses()
    assert first.what == "video ppe-check/yard"
    assert "is that of people-counter/yard" in first.last_error
    assert "put {instance} and {stream} into `streamName`" in first.last_error
    assert second.last_error == ""
    uploads.follow([PPE])
    assert feeds.attached == [PPE[0]], "the name is free again"
    assert uploads.statuses()[0].last_error == ""


def test_hundreds_of_outputs_are_encoded_at_once(begin: Callable[..., tuple[KinesisUploads, Feeds]]) -> None:
    uploads, feeds = begin(outputs=["*"])
    uploads.follow([(f"a.video_out.cam{n}", "a", "video_out", f"cam{n}") for n in range(40)])
    assert len(feeds.attached) == MOST
    assert "name fewer" in uploads.statuses()[0].last_error
