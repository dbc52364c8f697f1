"""The list of cameras to choose from: all of them, with their states, and the signal that a choice means."""

import io
import sys

import pytest

from vedette.cli.camera_choice import Entry, _asked, choose_and_signal, here
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal

from .test_camera_signals import HEALTH


def test_a_camera_is_not_listed_or_its_state_is_wrong() -> None:
    assert here(HEALTH) == [
        Entry("one", "lobby", False),
        Entry("two", "the gate", False),
        Entry("two", "yard", True),
    ]
    assert [entry.signal for entry in here(HEALTH)] == ["PAUSE", "PAUSE", "RESUME"]


@pytest.mark.parametrize("answer", ["", "0", "4", "x", "-1"])
def test_a_slip_signals_a_camera(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
    with pytest.raises(Failure, match="nothing was changed"):
        _asked(here(HEALTH), Terminal(io.StringIO()))


def test_another_camera_is_chosen_than_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("3\n"))
    shown = io.StringIO()
    assert _asked(here(HEALTH), Terminal(shown)) == Entry("two", "yard", True)
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert lines[3] == ["3", "here", "two", "yard", "paused"]
    with pytest.raises(Failure, match="no camera to choose from"):
        _asked([], Terminal(io.StringIO()))


def test_a_script_waits_for_an_answer_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n"))  # no terminal
    with pytest.raises(Failure) as caught:
        choose_and_signal((), Terminal(io.StringIO()), root=None, profile=None, region=None, as_json=False)
    assert caught.value.hint == "vedette camera pause INSTANCE CAMERA"
