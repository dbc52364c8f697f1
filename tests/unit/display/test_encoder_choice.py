"""Which encoder is taken, and what becomes of one that fails."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from vedette_display.encoders import AGAIN_S, SOFTWARE, Encoders, SoftwareEncoder

from vedette.hardware_encoding import WAYS, EncoderFailed, Finding, Way

NVENC, V4L2 = WAYS[0], WAYS[-1]


class Chip:
    """An encoder in hardware that opens."""

    def __init__(self, way: Way, width: int, height: int) -> None:
        self.name, self.width, self.height = way.name, width, height

    def encode(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def close(self) -> None:
        """Nothing."""


def encoders(wanted: str, works: Sequence[Way], **options: Any) -> Encoders:
    """Return a choice on a device that seems to have NVENC and V4L2, of which ``works`` do."""

    def search(ways: Sequence[Way]) -> tuple[Way | None, list[Finding]]:
        tried = [Finding(way, "" if way in works else "Cannot load libcuda.so.1") for way in ways]
        return next((each.way for each in tried if not each.refusal), None), tried

    chosen = Encoders(wanted, seeming=lambda: [NVENC, V4L2], search=search, **{"open_hardware": Chip, **options})
    chosen.look()
    return chosen


@pytest.mark.parametrize(
    ("wanted", "works", "expected"),
    [
        ("auto", [], SOFTWARE),
        ("auto", [V4L2], V4L2.name),
        ("auto", [NVENC, V4L2], NVENC.name),
        ("v4l2", [NVENC, V4L2], V4L2.name),
        ("nvenc", [V4L2], SOFTWARE),
        ("qsv", WAYS, "Quick Sync (Intel)"),
    ],
)
def test_wrong_encoder_is_taken(wanted: str, works: Sequence[Way], expected: str) -> None:
    chosen = encoders(wanted, works)
    assert (chosen.name, chosen.open(640, 360).name) == (expected, expected)


def test_software_is_asked_for_and_drivers_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Encoders(SOFTWARE)
    monkeypatch.setattr(chosen, "look", lambda: pytest.fail("a driver was tried"))
    chosen.start()
    assert isinstance(chosen.open(640, 360), SoftwareEncoder)


def test_why_an_encoder_is_not_used_stays_unsaid(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    encoders("auto", [V4L2])
    encoders("nvenc", [])
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    words = "NVENC (NVIDIA) cannot encode: Cannot load libcuda.so.1"
    assert said == [
        ("INFO", words),
        ("INFO", f"outputs are encoded by {V4L2.name}"),
        ("ERROR", words),
        ("INFO", "outputs are encoded by software"),
    ]


def test_hardware_that_refuses_to_open_stops_the_stream_or_is_tried_for_every_picture() -> None:
    now, tries = [0.0], []

    def refuse(way: Way, *_: int) -> Any:
        tries.append(way)
        raise EncoderFailed("no session is left")

    chosen = encoders("auto", [NVENC], open_hardware=refuse, clock=lambda: now[0])
    assert isinstance(chosen.open(640, 360), SoftwareEncoder)
    assert isinstance(chosen.open(640, 360), SoftwareEncoder)
    assert (len(tries), chosen.name) == (1, SOFTWARE)
    now[0] = AGAIN_S
    assert chosen.name == NVENC.name
    chosen.open(640, 360)
    assert len(tries) == 2
