"""Figures of the charts: what a second without news, a restart or a thousand subjects do to them."""

from vedette_display.history import MOST_SUBJECTS, SAMPLES, History

from vedette.health import HealthBook, HealthDocument
from vedette.messages import CameraState, CameraStatus


def document(name: str = "lobby", **fields: object) -> HealthDocument:
    book = HealthBook(wall=lambda: 1000.0)
    status = CameraStatus.model_validate(
        {"camera_id": name, "name": name, "state": CameraState.LIVE, "since": 0.0, **fields}
    )
    book.apply(CameraStatus.topic(name), status.encode())
    return book.document()


def test_counter_is_not_told_as_a_rate() -> None:
    history = History()
    for dropped in (100, 103, 103, 2):
        history.sample(document(dropped=dropped, fps=15.0), {})
    found = history.read("camera", "lobby")
    assert found is not None
    assert found["series"]["dropped"] == [None, 3.0, 0.0, 2.0], "a counter that went back began anew"
    assert found["series"]["fps"] == [15.0] * 4


def test_second_without_news_keeps_the_old_value() -> None:
    history = History()
    history.sample(document(fps=15.0), {})
    history.sample(document("gate", fps=9.0), {})
    history.sample(document(fps=14.0), {})
    found = history.read("camera", "lobby")
    assert found is not None
    assert found["series"]["fps"] == [15.0, None, 14.0]


def test_more_than_ten_minutes_are_given_or_old_ones_twice() -> None:
    history = History()
    for number in range(SAMPLES + 5):
        history.sample(document(fps=float(number)), {})
    found = history.read("camera", "lobby")
    assert found is not None
    assert (found["first"], found["next"]) == (5, SAMPLES + 5)
    assert found["series"]["fps"][0] == 5.0
    assert found["series"]["fps"][-1] == SAMPLES + 4
    news = history.read("camera", "lobby", SAMPLES + 3)
    assert news is not None
    assert news["series"]["fps"] == [SAMPLES + 3.0, SAMPLES + 4.0]


def test_subjects_grow_without_end() -> None:
    history = History()
    for number in range(MOST_SUBJECTS + 10):
        history.sample(document(f"camera-{number}"), {})
    assert history.read("camera", "camera-0") is None
    assert history.read("camera", f"camera-{MOST_SUBJECTS + 9}") is not None
    assert history.read("model", "nobody") is None
