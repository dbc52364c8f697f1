"""What a person at the terminal reads until the application is at work."""

import io

import pytest

from vedette.cli.progress import Progress
from vedette.cli.terminal import Terminal
from vedette.health import HealthBook, HealthDocument
from vedette.messages import ApplicationState, ApplicationStatus
from vedette.nucleus.events import ComponentOutput, ComponentStateChanged
from vedette.nucleus.states import ComponentState

APPLICATION = "vedette.app.counter"


@pytest.fixture
def talk() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(talk: io.StringIO) -> Progress:
    return Progress(Terminal(talk, {"NO_COLOR": "1"}))


def health(state: ApplicationState, age_s: float, errors: int = 0, last_error: str = "") -> HealthDocument:
    book = HealthBook(monotonic=lambda: 0.0, wall=lambda: 1000.0)
    status = ApplicationStatus(
        instance="counter",
        application="people",
        state=state,
        detail=last_error if state is ApplicationState.CRASHED else "",
        since=1000.0 - age_s,
        errors=errors,
        last_error=last_error,
    )
    assert book.apply(ApplicationStatus.topic("counter"), status.encode())
    return book.document()


def installed(progress: Progress, *lines: str) -> None:
    progress.hear(ComponentStateChanged(APPLICATION, ComponentState.NEW, ComponentState.NEW, ""))
    for line in lines:
        progress.hear(ComponentOutput(APPLICATION, "stdout", line))
    progress.hear(ComponentStateChanged(APPLICATION, ComponentState.NEW, ComponentState.RUNNING, ""))


def test_warnings_hide_the_environment_or_get_lost(progress: Progress, talk: io.StringIO) -> None:
    installed(
        progress,
        "trying 3 imports",
        "environment: Python 3.8; libraries as of today",
        *(f"warning: number {number}" for number in range(7)),
        "later: talk of the host",
    )
    progress.tell(health(ApplicationState.STARTING, 0))
    progress.tell(health(ApplicationState.STARTING, 1))
    said = [line.split(maxsplit=2)[1:] for line in talk.getvalue().splitlines()]
    assert said == [
        ["environment", "Python 3.8; libraries as of today"],
        *(["environment", f"number {number}"] for number in range(5)),
        ["environment", f"2 more: vedette logs {APPLICATION}"],
    ]


def test_an_application_without_an_output_is_waited_for_in_silence(progress: Progress, talk: io.StringIO) -> None:
    assert not progress.tell(health(ApplicationState.STARTING, 9))
    assert not progress.tell(health(ApplicationState.WAITING, 9))
    assert not progress.tell(health(ApplicationState.RUNNING, 1))
    assert progress.tell(health(ApplicationState.RUNNING, 5))
    assert "counter runs; no picture on an output yet" in talk.getvalue()


def test_an_end_between_two_looks_is_not_told(progress: Progress, talk: io.StringIO) -> None:
    progress.tell(health(ApplicationState.RUNNING, 9))
    for _ in range(3):
        progress.tell(health(ApplicationState.RUNNING, 0, errors=1, last_error="KeyError: 'x' at app.py:7, exit 0"))
    assert talk.getvalue().count("ended: KeyError: 'x' at app.py:7, exit 0. It was started again") == 1


def test_an_end_that_was_seen_is_told_twice(progress: Progress, talk: io.StringIO) -> None:
    for state in (ApplicationState.RUNNING, ApplicationState.CRASHED, ApplicationState.RUNNING):
        errors = 0 if not talk.getvalue() and state is ApplicationState.RUNNING else 1
        progress.tell(health(state, 0, errors=errors, last_error="ValueError: no, exit 1" if errors else ""))
    assert talk.getvalue().count("ValueError: no, exit 1") == 1
