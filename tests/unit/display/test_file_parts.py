"""Parts of a file, as players ask for them when somebody jumps in a recording."""

import pytest
from vedette_display.request import HttpError, parse_head, part_of


def wanted(value: str, *more: str) -> range | None:
    head = "\r\n".join(["GET /recordings/a.mp4 HTTP/1.1", f"Range: {value}", *more, "", ""])
    return part_of(parse_head(head.encode()), 1000)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-", range(1000)),
        ("bytes=10-19", range(10, 20)),
        ("bytes=990-5000", range(990, 1000)),
        ("bytes=-100", range(900, 1000)),
        ("bytes=-5000", range(1000)),
        # What may be answered with the whole.
        ("bytes=0-9,20-29", None),
        ("lines=1-2", None),
        ("bytes=-", None),
    ],
)
def test_another_part_is_sent(value: str, part: range | None) -> None:
    assert wanted(value) == part


@pytest.mark.parametrize("value", ["bytes=1000-", "bytes=20-10", "bytes=-0"])
def test_part_that_there_is_not_is_sent(value: str) -> None:
    with pytest.raises(HttpError) as raised:
        wanted(value)
    assert (raised.value.status, raised.value.headers) == (416, (("Content-Range", "bytes */1000"),))


def test_part_of_a_file_that_may_have_changed_is_sent() -> None:
    assert wanted("bytes=10-19", 'If-Range: "old"') is None
