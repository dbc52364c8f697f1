"""The health of instances and their nodes in Panorama's words, and what is told of a deployment."""

import pytest

from vedette.health import HealthBook, Severity
from vedette.messages import (
    TTL_S,
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DeploymentState,
    DeploymentStatus,
    ModelState,
    ModelStatus,
    OutputStatus,
)

NOW = 1_000.0


class Device:
    """An application with two cameras on two nodes, a model and an output, all well."""

    def __init__(self) -> None:
        self.monotonic = 10.0
        self.book = HealthBook(lambda: self.monotonic, lambda: NOW)
        self.cameras = {"a-1": CameraState.LIVE, "b-2": CameraState.LIVE}
        self.model: ModelState | None = ModelState.READY
        self.paused: list[str] = []
        self.state = ApplicationState.RUNNING
        self.picture_age_s: float | None = 0.0
        self.hears_outputs = True

    def nodes(self) -> tuple[str, dict[str, str]]:
        application = ApplicationStatus(
            instance="counter",
            application="people",
            state=self.state,
            since=NOW - 5,
            cameras={"video_in": list(self.cameras)},
            paused=self.paused,
            models={"detector": "m1"},
            outputs=["counter.video_out.a"],
            fps=15.0,
            code_node="code",
            camera_nodes={"front": ["a-1"], "back": ["b-2"]},
            output_nodes={"video_out": "hdmi"},
        )
        self.book.apply(ApplicationStatus.topic("counter"), application.encode())
        for camera, state in self.cameras.items():
            status = CameraStatus(camera_id=camera, name=camera, state=state, since=NOW - 5, pid=1)
            self.book.apply(CameraStatus.topic(camera), status.encode())
        if self.model is not None:
            model = ModelStatus(model_id="m1", name="m.onnx", state=self.model, since=NOW - 5)
            self.book.apply(ModelStatus.topic("m1"), model.encode())
        if self.hears_outputs:
            output = OutputStatus(
                output_id="counter.video_out.a",
                instance="counter",
                application="people",
                node="hdmi",
                port="video_out",
                stream="a",
                socket="/s",
                since=NOW - 5,
                last_frame_at=None if self.picture_age_s is None else NOW - self.picture_age_s,
            )
            self.book.apply(OutputStatus.topic(output.output_id), output.encode())
        (found,) = self.book.document().applications
        return found.health, {node.name: node.health for node in found.nodes}


def test_a_healthy_instance_is_not_running() -> None:
    assert Device().nodes() == (
        "RUNNING",
        {"code": "RUNNING", "front": "RUNNING", "back": "RUNNING", "detector": "RUNNING", "hdmi": "RUNNING"},
    )


def test_who_hears_of_no_streams_calls_every_output_missing() -> None:
    device = Device()
    device.hears_outputs = False
    assert device.nodes()[1]["hdmi"] == "RUNNING"


def test_a_killed_model_server_is_not_seen_at_the_node() -> None:
    device = Device()
    device.nodes()
    device.model = None
    device.monotonic += TTL_S + 1
    assert device.nodes()[1]["detector"] == "ERROR"
    assert device.nodes()[0] == "ERROR"
    device.model = ModelState.READY
    assert device.nodes()[0] == "RUNNING"


@pytest.mark.parametrize(
    ("state", "health"),
    [
        (CameraState.LOST, "ERROR"),
        (CameraState.WRONG_PASSWORD, "ERROR"),
        (CameraState.CONNECTING, "NOT_AVAILABLE"),
        (CameraState.ENDED, "NOT_AVAILABLE"),
    ],
)
def test_one_camera_is_called_what_another_is(state: CameraState, health: str) -> None:
    device = Device()
    device.cameras["b-2"] = state
    assert device.nodes()[1] | {"hdmi": ""} == {
        "code": "RUNNING",
        "front": "RUNNING",
        "back": health,
        "detector": "RUNNING",
        "hdmi": "",
    }
    assert device.nodes()[0] == health


def test_a_paused_camera_is_an_error() -> None:
    device = Device()
    device.paused = ["b-2"]
    assert device.nodes()[1]["back"] == "PAUSED"
    assert device.nodes()[0] == "RUNNING"


@pytest.mark.parametrize(
    ("state", "health"),
    [
        (ApplicationState.CRASHED, "ERROR"),
        (ApplicationState.HUNG, "ERROR"),
        (ApplicationState.STARTING, "NOT_AVAILABLE"),
        (ApplicationState.WAITING, "RUNNING"),
        (ApplicationState.STOPPED, "NOT_AVAILABLE"),
    ],
)
def test_the_code_node_hides_what_the_application_does(state: ApplicationState, health: str) -> None:
    device = Device()
    device.state = state
    assert device.nodes()[1]["code"] == health


@pytest.mark.parametrize(("age_s", "health"), [(None, "NOT_AVAILABLE"), (600.0, "ERROR")])
def test_an_output_without_pictures_runs(age_s: float | None, health: str) -> None:
    device = Device()
    device.picture_age_s = age_s
    assert device.nodes()[1]["hdmi"] == health


def told(state: DeploymentState, since: float = NOW - 12, detail: str = "") -> HealthBook:
    book = HealthBook(lambda: 10.0, lambda: NOW)
    status = DeploymentStatus(deployment_id="d-1", name="shops", state=state, since=since, detail=detail)
    assert book.apply(DeploymentStatus.topic(), status.encode())
    return book


def test_an_update_is_not_seen_in_the_line_that_sums_up() -> None:
    document = told(DeploymentState.IN_PROGRESS).document()
    assert document.summary.words == "Updating this device: shops, 12 s so far"
    assert document.problems == []
    assert document.deployment is not None
    assert document.deployment.state == "in-progress"


def test_a_failed_update_is_no_problem() -> None:
    (problem,) = told(DeploymentState.FAILED, detail="no such component").document().problems
    assert (problem.kind, problem.subject, problem.detail) == ("deployment", "shops", "shops: no such component")
    assert problem.severity is Severity.WARNING
    assert told(DeploymentState.SUCCEEDED).document().problems == []
