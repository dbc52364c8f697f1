"""Records of ``vedette test`` compared: what differs is told, what only was computed elsewhere is not."""

from pathlib import Path
from typing import Any

import pytest

from vedette.cli.failure import Failure
from vedette.cli.trial import compare, read_record, same


def frame(number: int, stream: str = "a", right: float = 0.5) -> dict[str, Any]:
    return {"port": "video_out", "stream": stream, "frame": number, "labels": [], "rects": [[0, 0, right, 1]]}


def test_equal_records_differ() -> None:
    expected = [{"parameter": "threshold", "value": 20.0}, frame(1), frame(1, "b"), frame(2), frame(2, "b")]
    found = [frame(1), {"parameter": "threshold", "value": 20}, frame(2), frame(1, "b"), frame(2, "b", 0.5004)]
    assert compare(expected, found, 0.001) == []
    assert len(compare(expected, found, 0.0001)) == 1


def test_a_difference_is_not_told() -> None:
    (missing,) = compare([frame(1), frame(2)], [frame(1)], 0.001)
    assert missing.startswith("video_out of a, entry 2:\n  - {")
    assert missing.endswith("+ nothing")
    (other,) = compare([{"parameter": "on", "value": True}], [{"parameter": "on", "value": 1}], 1.0)
    assert "parameter on, entry 1" in other


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [("a", "a", True), ("a", "b", False), ([1], [1, 2], False), ({"a": 1}, {"b": 1}, False), (None, 0, False)],
)
def test_values_are_compared_wrongly(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other, 0.001) is equal


def test_what_is_no_record_is_read(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is not there"):
        read_record(tmp_path / "nothing")
    (tmp_path / "text").write_text("no JSON")
    with pytest.raises(Failure, match="is no record of"):
        read_record(tmp_path / "text")
