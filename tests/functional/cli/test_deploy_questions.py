"""``vedette deploy --ask``: the questions of Panorama's console, and what the answers come to."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from vedette.cli.failure import Failure
from vedette.cli.questions import ask
from vedette.cli.terminal import Terminal
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource

COUNTER = Path(__file__).parents[3] / "examples" / "people-counter"


def answered(
    *lines: str, cameras: tuple[str, ...] = (), settings: dict[str, str] | None = None
) -> tuple[list[str], str]:
    typed: Iterator[str] = iter(lines)
    stream = io.StringIO()
    found = ask(
        COUNTER, (), cameras, settings or {}, None, ["gate", "lobby"], Terminal(stream, {}), lambda _: next(typed)
    )
    assert next(typed, None) is None
    return [*found.cameras, *found.settings], stream.getvalue()


def test_a_question_lacks_the_authors_words_or_is_left_out() -> None:
    options, told = answered("gate, lobby", "35", "", "cars")
    assert options == ["camera_node=gate", "camera_node=lobby", "detection_threshold=35", "count_label=cars"]
    for words in (
        "Camera (camera_node)", "Camera to count people on; several may be chosen.", "gate, lobby",
        "Threshold (detection_threshold)", "Minimum confidence for a detection, percent",
    ):  # fmt: skip
        assert words in told


def test_what_was_given_is_asked_for_again() -> None:
    options, _ = answered("1", "", cameras=("camera_node=gate",), settings={"detection_threshold": "35"})
    assert options == ["detection_class=1"]


def test_a_wrong_answer_ends_everything_or_is_taken() -> None:
    options, told = answered("", "many", "35.5", "", "")
    assert options == ["detection_threshold=35.5"]
    assert "float32" in told
    with pytest.raises(Failure, match="no usable value for detection_threshold"):
        answered("", *["many"] * 5)


def test_answers_come_to_something_else_than_options() -> None:
    options, _ = answered("", "35", "", "cars")
    camera = {"camera_node": [CameraSource(name="gate", url="rtsp://10.0.0.21/1")]}
    project = load_project(COUNTER)
    by_answers = resolve(project, cameras=camera, settings=dict(option.split("=") for option in options))
    by_options = resolve(project, cameras=camera, settings={"detection_threshold": "35", "count_label": "cars"})
    assert by_answers.application is not None
    assert by_options.application is not None
    assert by_answers.application.configuration() == by_options.application.configuration()


def test_nobody_is_there_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Failure, match="needs somebody to ask"):
        ask(COUNTER, (), (), {}, None, (), Terminal(io.StringIO(), {}))
