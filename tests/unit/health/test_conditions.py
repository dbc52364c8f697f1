"""The table of words: complete, filled in without gaps, and worded as the page promises."""

import string
from collections.abc import Mapping
from enum import Enum

import pytest

from vedette.health import OutputState, Severity
from vedette.health import conditions as table
from vedette.health.conditions import Condition, describe
from vedette.messages import ApplicationState, CameraState, DeploymentState, ModelState

ALL = [
    *table.CAMERAS.values(),
    *table.MODELS.values(),
    *table.APPLICATIONS.values(),
    *table.OUTPUTS.values(),
    *table.COMPONENTS.values(),
    *table.DEPLOYMENTS.values(),
    table.CAMERA_SILENT,
    table.MODEL_SILENT,
    table.APPLICATION_SILENT,
    table.APPLICATION_ENDED,
]
FACTS = {"age_s", "picture_age_s", "camera", "model", "application", "instance", "port", "codec", "path", "component"}
FACTS |= {"deployment"}


@pytest.mark.parametrize(
    ("conditions", "states"),
    [
        (table.CAMERAS, CameraState),
        (table.MODELS, ModelState),
        (table.APPLICATIONS, ApplicationState),
        (table.OUTPUTS, OutputState),
        (table.DEPLOYMENTS, DeploymentState),
    ],
)
def test_a_state_has_no_words(conditions: Mapping[Enum, Condition], states: type[Enum]) -> None:
    assert set(conditions) == set(states)


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.title)
def test_words_ask_for_a_fact_nobody_gives(condition: Condition) -> None:
    for text in (condition.title, condition.detail, condition.hint):
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= FACTS
    assert condition.short == condition.short.strip()
    assert condition.title[0].isupper() or condition.title[0] == "{"
    assert not condition.title.endswith(".")
    assert not condition.detail.endswith(".")


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.title)
def test_trouble_without_an_explanation_or_a_way_out(condition: Condition) -> None:
    if condition.severity is Severity.ERROR:
        assert condition.action
        assert condition.hint
    if condition.severity is Severity.BUSY:
        assert condition.patience_s is not None, "what never becomes a warning can wait unseen for ever"


def test_short_forms_of_one_table_are_confused() -> None:
    for conditions in (table.CAMERAS, table.MODELS, table.APPLICATIONS, table.OUTPUTS):
        shorts = [condition.short for condition in conditions.values()]
        assert len(shorts) == len(set(shorts))


@pytest.mark.parametrize(
    ("condition", "facts", "age_s", "title"),
    [
        (table.CAMERAS[CameraState.CONNECTING], {}, 3.2, "Connecting… 3 s"),
        (table.CAMERAS[CameraState.WRONG_PASSWORD], {}, 0, "Wrong user name or password"),
        (table.CAMERAS[CameraState.PASSWORD_NEEDED], {}, 0, "This camera wants a password"),
        (table.CAMERAS[CameraState.UNREACHABLE], {}, 0, "Camera unreachable"),
        (table.CAMERAS[CameraState.NOT_FOUND], {"path": "/stream9"}, 0, "No stream at /stream9"),
        (table.CAMERAS[CameraState.BUSY], {}, 0, "Camera is busy"),
        (table.CAMERAS[CameraState.NO_KEY_FRAME], {}, 4, "Waiting for a key frame, 4 s"),
        (table.CAMERAS[CameraState.UNSUPPORTED_CODEC], {"codec": "MPEG-4 Part 2"}, 0, "MPEG-4 Part 2 is not supported"),
        (table.CAMERAS[CameraState.NO_VIDEO], {}, 0, "No video in this stream"),
        (table.CAMERAS[CameraState.PAUSED], {}, 0, "Paused"),
        (table.CAMERAS[CameraState.STALLED], {"picture_age_s": 7}, 0, "No new picture for 7 s"),
        (table.MODELS[ModelState.LOADING], {"model": "PPE_V2"}, 14, "Loading model PPE_V2"),
        (table.APPLICATIONS[ApplicationState.PREPARING], {}, 34, "Installing requirements, 34 s"),
        (table.OUTPUTS[OutputState.WAITING], {}, 0, "Waiting for the first picture"),
        (table.APPLICATIONS[ApplicationState.CRASHED], {"application": "ppe-check"}, 0, "ppe-check crashed"),
        (table.APPLICATION_ENDED, {"application": "ppe-check"}, 0, "ppe-check ended (exit 0)"),
        (table.APPLICATIONS[ApplicationState.HELD_BACK], {"application": "ppe-check"}, 0, "ppe-check keeps crashing"),
    ],
)
def test_title_differs_from_the_specification(
    condition: Condition, facts: dict[str, object], age_s: float, title: str
) -> None:
    assert describe(condition, facts, age_s=age_s).title == title


def test_unknown_fact_breaks_the_sentence() -> None:
    assert describe(table.CAMERAS[CameraState.UNSUPPORTED_CODEC], {}, age_s=0).title == "This codec is not supported"
    assert describe(table.CAMERAS[CameraState.NOT_FOUND], {}, age_s=0).title == "No stream at this address"


def test_next_try_is_told_behind_the_senders_sentence() -> None:
    wrong = table.CAMERAS[CameraState.WRONG_PASSWORD]
    words = describe(wrong, {}, age_s=0, detail="The camera answered 401 to user viewer.", retry_s=58.2)
    assert words.detail == "The camera answered 401 to user viewer. Next try in 58 s"
    crashed = table.APPLICATIONS[ApplicationState.CRASHED]
    assert describe(crashed, {}, age_s=0, detail="KeyError", retry_s=8).detail == "KeyError. Restarting in 8 s"
    asked = describe(wrong, {}, age_s=0, detail="It refused port 554: is RTSP switched on?", retry_s=3)
    assert asked.detail == "It refused port 554: is RTSP switched on? Next try in 3 s"
    assert describe(wrong, {}, age_s=0, detail="x", retry_s=0.1).detail == "x"
    assert describe(wrong, {}, age_s=0, detail="x", retry_s=0.5).detail == "x. Next try in 1 s", "in 0 s is no time"


def test_connecting_for_ever_is_never_a_problem() -> None:
    connecting = table.CAMERAS[CameraState.CONNECTING]
    assert describe(connecting, {}, age_s=9.0).severity is Severity.BUSY
    assert describe(connecting, {}, age_s=11.0).severity is Severity.WARNING


def test_braces_in_a_senders_sentence_are_taken_for_a_fact() -> None:
    words = describe(table.CAMERAS[CameraState.FAILED], {}, age_s=0, detail="bad {thing}")
    assert words.detail == "bad {thing}"
