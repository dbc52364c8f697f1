"""The health book: what is forgotten, what is kept as not reporting, and what is called a problem."""

import json

import pytest

from vedette.health import LINGER_S, ComponentHealth, HealthBook, HealthDocument, Severity
from vedette.messages import (
    TTL_S,
    ApplicationState,
    ApplicationStatus,
    CameraDemand,
    CameraSource,
    CameraState,
    CameraStatus,
    DisplayStatus,
    Message,
    ModelDemand,
    ModelState,
    ModelStatus,
    OutputStatus,
    ParameterStatus,
)
from vedette.messages.display import ShownOutput

START = 1_000_000.0
SOURCE = CameraSource(name="dock", url="rtsp://10.0.0.21/stream1")
DOCK = SOURCE.camera_id


class Clock:
    """Monotonic and wall time that move together, by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 50.0 + self.passed

    def wall(self) -> float:
        return START + self.passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> HealthBook:
    return HealthBook(monotonic=clock.monotonic, wall=clock.wall)


def tell(book: HealthBook, topic: str, message: Message) -> None:
    assert book.apply(topic, message.encode())


def camera(book: HealthBook, state: CameraState = CameraState.LIVE, **fields: object) -> None:
    status = CameraStatus.model_validate(
        {"camera_id": DOCK, "name": "dock", "state": state, "since": START, "users": ["counter"], **fields}
    )
    tell(book, CameraStatus.topic(DOCK), status)


def application(book: HealthBook, state: ApplicationState = ApplicationState.RUNNING, **fields: object) -> None:
    status = ApplicationStatus.model_validate(
        {
            "instance": "counter",
            "application": "people",
            "state": state,
            "since": START,
            "cameras": {"video_in": [DOCK]},
            "models": {"model_node": "m1"},
            **fields,
        }
    )
    tell(book, ApplicationStatus.topic("counter"), status)


def model(book: HealthBook, state: ModelState = ModelState.READY, **fields: object) -> None:
    status = ModelStatus.model_validate(
        {"model_id": "m1", "name": "ssd.onnx", "state": state, "since": START, **fields}
    )
    tell(book, ModelStatus.topic("m1"), status)


def output(book: HealthBook, clock: Clock, picture_age_s: float | None = 0.0, **fields: object) -> None:
    status = OutputStatus.model_validate(
        {
            "output_id": "counter.video_out.dock",
            "instance": "counter",
            "application": "people",
            "node": "out",
            "port": "video_out",
            "stream": "dock",
            "camera_id": DOCK,
            "socket": "/run/x",
            "since": START,
            "fps": 15.0,
            "last_frame_at": None if picture_age_s is None else clock.wall() - picture_age_s,
            **fields,
        }
    )
    tell(book, OutputStatus.topic("counter.video_out.dock"), status)


def everything(book: HealthBook, clock: Clock) -> HealthDocument:
    camera(book, fps=15.0, last_frame_at=clock.wall())
    model(book)
    application(book)
    output(book, clock)
    return book.document()


def test_healthy_device_is_not_called_good(book: HealthBook, clock: Clock) -> None:
    document = everything(book, clock)
    assert document.problems == []
    assert document.summary.words == "All good"
    assert document.summary.severity is Severity.OK
    assert [c.name for c in document.cameras] == ["dock"]
    assert document.outputs[0].state == "live"


def test_document_is_not_plain_json(book: HealthBook, clock: Clock) -> None:
    data = json.loads(everything(book, clock).to_json())
    assert data["schema"] == "vedette.health/1"
    assert data["at"].endswith("Z")
    assert "next_try_s" not in data["cameras"][0]
    assert HealthDocument.model_validate(data).cameras[0].camera_id == DOCK


def test_empty_device_says_nothing(book: HealthBook) -> None:
    assert book.document().summary.words == "No application runs here yet"


def test_wrong_password_is_not_named_with_its_facts(book: HealthBook) -> None:
    camera(
        book,
        CameraState.WRONG_PASSWORD,
        detail="The camera answered 401 to user viewer from secret vedette/dock",
        next_try_s=58.0,
    )
    document = book.document()
    assert document.summary.words == "1 problem: dock, wrong password"
    problem = document.problems[0]
    assert problem.title == "Wrong user name or password"
    assert problem.detail == ("The camera answered 401 to user viewer from secret vedette/dock. Next try in 58 s")
    assert problem.hint == "vedette camera test dock"


def test_next_try_stands_still_between_two_statuses(book: HealthBook, clock: Clock) -> None:
    camera(book, CameraState.WRONG_PASSWORD, next_try_s=58.0)
    clock.passed = 3.0
    assert book.document().cameras[0].next_try_s == 55.0


def test_camera_nobody_speaks_of_stays_for_ever(book: HealthBook, clock: Clock) -> None:
    camera(book)
    clock.passed = TTL_S + 0.1
    assert book.document().cameras == []


def test_silent_camera_an_application_wants_disappears(book: HealthBook, clock: Clock) -> None:
    camera(book)
    application(book)
    clock.passed = TTL_S + 0.1
    application(book)
    document = book.document()
    assert document.cameras[0].state == "not-reporting"
    assert document.cameras[0].name == "dock"
    assert document.cameras[0].users == ["counter"]
    assert document.problems[0].title == "Nothing is heard of camera dock"


def test_camera_never_heard_of_is_named_by_its_hash(book: HealthBook, clock: Clock) -> None:
    demand = CameraDemand(source=SOURCE, instance="counter", node="camera_node")
    tell(book, CameraDemand.topic(DOCK), demand)
    assert book.document().cameras == [], "a camera just asked for has the time to answer"
    for clock.passed in (2.0, 4.0, 6.0):
        tell(book, CameraDemand.topic(DOCK), demand)
        document = book.document()
    assert [(c.name, c.state) for c in document.cameras] == [("dock", "not-reporting")]


def test_camera_that_waits_for_its_signal_is_called_a_problem(book: HealthBook, clock: Clock) -> None:
    # GIVEN an application whose only use of a camera is paused: nobody demands it, CameraIngest does not know it
    application(book, paused=[DOCK])
    clock.passed += TTL_S + 1
    application(book, paused=[DOCK])
    document = book.document()
    # THEN it is listed as paused
    [found] = document.cameras
    assert (found.state, found.words, found.name, found.users) == ("paused", "paused", "dock", ["counter"])
    assert not document.problems
    # WHEN another application wants it and CameraIngest says nothing
    clock.passed += TTL_S + 1
    application(book, paused=[DOCK])
    other = {"instance": "other", "application": "people", "state": "running", "since": START}
    message = ApplicationStatus.model_validate({**other, "cameras": {"video_in": [DOCK]}})
    tell(book, ApplicationStatus.topic("other"), message)
    # THEN that is a problem again
    assert [camera.state for camera in book.document().cameras] == ["not-reporting"]


def test_withdrawn_demand_keeps_a_camera(book: HealthBook, clock: Clock) -> None:
    for clock.passed in (0.0, 3.0, 6.0):
        demand = CameraDemand(source=SOURCE, instance="counter", node="camera_node", wanted=False)
        tell(book, CameraDemand.topic(DOCK), demand)
        assert book.document().cameras == []


def test_application_whose_host_was_killed_disappears_at_once(book: HealthBook, clock: Clock) -> None:
    everything(book, clock)
    clock.passed = TTL_S + 1
    camera(book)
    document = book.document()
    assert document.applications[0].state == "not-reporting"
    assert document.problems[0].title == "Nothing is heard of counter"
    assert document.outputs[0].state == "not-reporting", "the tile keeps its place"
    clock.passed = LINGER_S + 1
    document = book.document()
    assert document.applications == []
    assert document.outputs == []


def test_application_that_said_goodbye_is_called_a_problem(book: HealthBook, clock: Clock) -> None:
    application(book, ApplicationState.STOPPED)
    assert book.document().problems == []
    clock.passed = TTL_S + 0.1
    assert book.document().applications == []


def test_application_known_from_its_output_only_is_left_out(book: HealthBook, clock: Clock) -> None:
    for clock.passed in (0.0, 2.0, 4.0, 6.0):
        output(book, clock)
        document = book.document()
    assert [(a.instance, a.state) for a in document.applications] == [("counter", "not-reporting")]


def test_silent_model_an_application_wants_disappears(book: HealthBook, clock: Clock) -> None:
    wish = ModelDemand(model_id="m1", path="/x/ssd.onnx", instance="counter", node="model_node")
    for clock.passed in (0.0, 2.0, 4.0, 6.0):
        tell(book, ModelDemand.topic("m1"), wish)
        document = book.document()
    assert [(m.name, m.state) for m in document.models] == [("ssd.onnx", "not-reporting")]


def test_output_of_a_crashed_application_loses_its_tile(book: HealthBook, clock: Clock) -> None:
    everything(book, clock)
    for clock.passed in (5.0, 65.0, 125.0):
        application(book, ApplicationState.CRASHED, exit_code=1, detail="KeyError: 'x' at application.py:88")
        document = book.document()
    assert [o.output_id for o in document.outputs] == ["counter.video_out.dock"]
    assert document.outputs[0].last_frame_age_s == 125.0


def test_stream_an_application_no_longer_puts_stays(book: HealthBook, clock: Clock) -> None:
    everything(book, clock)
    clock.passed = TTL_S + 1
    application(book)
    assert book.document().outputs == []


@pytest.mark.parametrize(("fps", "age_s", "state"), [(15.0, 2.9, "live"), (15.0, 3.1, "stalled"), (0.5, 9.0, "live")])
def test_slow_output_is_called_stalled(book: HealthBook, clock: Clock, fps: float, age_s: float, state: str) -> None:
    output(book, clock, fps=fps)
    clock.passed = age_s
    output(book, clock, picture_age_s=age_s, fps=0.0)
    assert book.document().outputs[0].state == state


def test_consequences_hide_the_cause(book: HealthBook, clock: Clock) -> None:
    """The camera is dead: the stalled output and the waiting application are not problems of their own."""
    clock.passed = 120.0
    camera(book, CameraState.UNREACHABLE)
    model(book)
    application(book, ApplicationState.WAITING)
    output(book, clock, picture_age_s=100.0)
    assert [p.kind for p in book.document().problems] == ["camera"]


def test_problems_stand_in_no_order(book: HealthBook, clock: Clock) -> None:
    clock.passed = 60.0
    application(book, ApplicationState.CRASHED, exit_code=1)
    model(book, ModelState.FAILED)
    camera(book, CameraState.REFUSED)
    document = book.document([ComponentHealth(name="vedette.CameraIngest", state="BROKEN")])
    assert [p.kind for p in document.problems] == ["component", "camera", "model", "application"]
    assert document.summary.words == "4 problems, first vedette.CameraIngest, broken"
    assert document.components[0].state == "BROKEN"


def test_running_component_is_a_problem(book: HealthBook) -> None:
    assert book.document([ComponentHealth(name="x", state="RUNNING")]).problems == []


def test_exit_zero_is_called_a_crash(book: HealthBook) -> None:
    application(book, ApplicationState.CRASHED, exit_code=0, next_try_s=2.0)
    part = book.document().applications[0]
    assert part.title == "counter ended (exit 0)"
    assert part.detail == "Applications should not end. Restarting in 2 s"


def test_access_key_gets_into_the_document(book: HealthBook) -> None:
    tell(
        book,
        DisplayStatus.topic(),
        DisplayStatus(page="http://host:8790/?key=SECRET", viewers=1, outputs=[], encoded=3),
    )
    document = book.document()
    assert "SECRET" not in document.to_json()
    assert document.display is not None
    assert document.display.page == "http://host:8790/"
    assert book.page_address == "http://host:8790/?key=SECRET"


def test_what_viewers_see_is_lost(book: HealthBook, clock: Clock) -> None:
    everything(book, clock)
    shown = ShownOutput(output_id="counter.video_out.dock", viewers=2, fps=14.8, latency_ms=61.0)
    tell(book, DisplayStatus.topic(), DisplayStatus(page="http://h/", viewers=2, outputs=[shown]))
    part = book.document().outputs[0]
    assert (part.viewers, part.shown_fps, part.latency_ms) == (2, 14.8, 61.0)
    clock.passed = TTL_S + 0.1
    application(book)
    output(book, clock)
    assert book.document().outputs[0].viewers == 0


def test_parameters_are_lost(book: HealthBook) -> None:
    parameter = ParameterStatus(name="threshold", node="thr", value=35.0, origin="deployment", reads=1)
    application(book, parameters=[parameter.model_dump()])
    assert book.document().applications[0].parameters == [parameter]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("vedette/camera/x/status", b"not json"),
        ("vedette/camera/x/status", b'{"camera_id": 3}'),
        ("vedette/camera/x/status", b'{"camera_id":"x","name":"x","state":"bewitched","since":0}'),
    ],
)
def test_broken_message_stops_the_book(book: HealthBook, topic: str, payload: bytes) -> None:
    assert not book.apply(topic, payload)
    assert book.rejected == 1
    assert book.document().cameras == []


@pytest.mark.parametrize("topic", ["other/camera/x/status", "vedette/camera/x/frame", "vedette", "vedette/display/x"])
def test_foreign_topic_is_read(book: HealthBook, topic: str) -> None:
    assert not book.apply(topic, b"{}")
    assert book.rejected == 0


def test_repetition_counts_as_a_change(book: HealthBook, clock: Clock) -> None:
    everything(book, clock)
    counted = book.changes
    assert counted == 4, "camera, model, application and output have come up"
    clock.passed = 1.0
    everything(book, clock)
    assert book.changes == counted
    camera(book, CameraState.LOST)
    assert book.changes == counted + 1


MAIN = {"state": "live", "since": START, "url": "rtsp://10.0.0.21/main", "wanted_for": ["page"], "opened": 1}


def main_stream(book: HealthBook, **fields: object) -> None:
    camera(book, stream="sub", main={**MAIN, **fields})


def test_who_looks_at_a_main_stream_is_called_an_application_that_is_silent(book: HealthBook, clock: Clock) -> None:
    demand = CameraDemand(source=SOURCE, instance="vedette.Display", node="page", main=True)
    for _ in range(10):
        tell(book, CameraDemand.topic(DOCK), demand)
        main_stream(book)
        clock.passed += 1.0
    document = book.document()
    assert document.applications == []
    assert [each.main and each.main.wanted_for for each in document.cameras] == [["page"]]
    assert document.problems == []


def test_a_main_stream_that_fails_makes_the_camera_one_that_fails_or_is_passed_over(book: HealthBook) -> None:
    main_stream(book, state="not-found", detail="10.0.0.21 port 554 answered 404 for /main", next_try_s=3.0)
    document = book.document()
    assert document.cameras[0].severity is Severity.OK
    [problem] = document.problems
    assert (problem.severity, problem.subject) == (Severity.WARNING, "dock, main stream")
    assert "404 for /main. Next try in 3 s" in problem.detail
    # AND nobody is told of it when nobody wants it
    main_stream(book, state="not-found", wanted_for=[])
    assert book.document().problems == []


def test_a_camera_that_is_away_has_two_problems(book: HealthBook) -> None:
    camera(book, CameraState.UNREACHABLE, stream="sub", main={**MAIN, "state": "unreachable"})
    assert [problem.subject for problem in book.document().problems] == ["dock"]


def test_closed_and_kept_closed_are_one_thing(book: HealthBook) -> None:
    main_stream(book, state="paused", wanted_for=[])
    closed = book.document().cameras[0].main
    assert closed is not None
    assert (closed.words, closed.severity) == ("closed", Severity.INFO)
    main_stream(book, state="paused", detail="Closed for 50 s: the camera allows one session only")
    [problem] = book.document().problems
    assert problem.title == "The main stream is not opened"


def test_applications_that_get_the_main_stream_in_place_of_the_small_one_do_so_in_silence(book: HealthBook) -> None:
    camera(
        book, stream="main", warning="The camera has no small stream (404): applications get the main one", main=MAIN
    )
    [problem] = book.document().problems
    assert (problem.severity, problem.title) == (Severity.WARNING, "Applications get the main stream")
    assert "404" in problem.detail
    assert book.document().cameras[0].severity is Severity.OK
