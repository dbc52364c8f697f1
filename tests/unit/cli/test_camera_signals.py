"""Which camera `vedette camera pause` means, and what it says when none is meant."""

from typing import Any

import pytest

from vedette.cli.camera_signals import _camera
from vedette.cli.failure import Failure

HEALTH: dict[str, Any] = {
    "applications": [
        {"instance": "one", "cameras": {"video_in": ["lobby-01234567"]}},
        {"instance": "two", "cameras": {"video_in": ["gate-01234567", "yard-89abcdef"]}, "paused": ["yard-89abcdef"]},
    ],
    "cameras": [{"camera_id": "gate-01234567", "name": "the gate"}],
}


def test_camera_is_not_found() -> None:
    assert _camera(HEALTH, "one", None) == "lobby"
    assert _camera(HEALTH, "two", "the gate") == "the gate"
    assert _camera(HEALTH, "two", "yard") == "yard", "one that nobody reports is known by its id"


@pytest.mark.parametrize(
    ("instance", "camera", "words", "hint"),
    [
        ("three", None, "no application is called `three`", "applications now: one, two"),
        ("two", None, "`two` has 2 cameras: name one", "its cameras: the gate, yard (paused)"),
        ("two", "yrad", "`two` has no camera `yrad`", 'did you mean "yard"?'),
        ("two", "lobby", "`two` has no camera `lobby`", "its cameras: the gate, yard (paused)"),
    ],
)
def test_wrong_name_is_not_explained(instance: str, camera: str | None, words: str, hint: str) -> None:
    with pytest.raises(Failure) as caught:
        _camera(HEALTH, instance, camera)
    assert words in caught.value.message
    assert caught.value.hint == hint
