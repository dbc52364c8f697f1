"""Records of ``vedette test`` compared: what differs is told, what only was computed elsewhere is not."""

from pathlib import Path
from typing import Any

import pytest

from vedette.cli.failure import Failure
from vedette.cli.trial import compare, is_done, read_record, same
from vedette.health import ApplicationHealth, CameraHealth, HealthDocument


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


@pytest.mark.parametrize(
    ("states", "age_s", "waiting", "done"),
    [
        (["ended"], 3.0, True, True),
        (["ended"], 3.0, False, False),  # it works on its last frame
        (["ended"], 31.0, False, True),
        (["ended"], 1.0, True, False),
        (["ended"], None, True, False),
        (["ended", "live"], 40.0, True, False),
        ([], 40.0, True, False),
    ],
)
def test_the_last_frame_is_cut_off(states: list[str], age_s: float | None, waiting: bool, done: bool) -> None:
    def part(kind: Any, **facts: Any) -> Any:
        return kind.model_construct(**facts)

    cameras = [part(CameraHealth, state=state, users=["a"]) for state in states]
    unused = part(CameraHealth, state="live", users=[])
    application = part(ApplicationHealth, last_activity_age_s=age_s, waiting=waiting)
    assert is_done(part(HealthDocument, cameras=[*cameras, unused], applications=[application])) is done
