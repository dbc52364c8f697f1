"""Manifest and configuration brought together; what is told of it."""

import re
from pathlib import Path
from typing import Any

import pytest
from vedette_app_runtime import protocol
from vedette_app_runtime.announcements import fitting
from vedette_app_runtime.condition import of_running
from vedette_app_runtime.outputs import output_id_of
from vedette_app_runtime.reports import frames_got, output_entries
from vedette_app_runtime.wiring import Wiring, wire

from vedette.application import ApplicationConfiguration, ApplicationConfigurationError, ApplicationManifest
from vedette.messages import (
    MAX_BYTES,
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    ModelState,
    ModelStatus,
    ParameterStatus,
)

MODEL_ID = "0123456789abcdef"
MANIFEST = ApplicationManifest.model_validate(
    {
        "name": "shop",
        "code_package": "SHOP",
        "version": "1.0",
        "entry": {"path": "python3", "name": "/panorama/a.py"},
        "inputs": [
            {"kind": "media", "port": "video_in", "nodes": ["front", "back"]},
            {"kind": "media", "port": "spare", "nodes": []},
            {"kind": "parameter", "port": "limit", "node": "limit_node", "type": "int32", "default": 3},
            {"kind": "parameter", "port": "free", "node": None, "type": "string", "default": "x"},
        ],
        "outputs": [{"port": "video_out", "node": "display"}, {"port": "unused", "node": None}],
        "models": [
            {"node": "m", "component": "vedette.model.M", "file": "a/m.onnx", "format": "onnx", "model_id": MODEL_ID}
        ],
    }
)


def wired(**changes: Any) -> Wiring:
    configuration: dict[str, Any] = {
        "instance": "shop-1",
        "cameras": {
            "back": [{"name": "yard", "url": "rtsp://yard/"}],
            "front": [{"name": "door", "url": "rtsp://door/"}, {"name": "till", "url": "", "launch": "onSignal"}],
        },
        **changes,
    }
    return wire(MANIFEST, ApplicationConfiguration.from_component(configuration), Path("/gg/work"))


def test_cameras_come_in_the_configurations_order() -> None:
    assert [(c.index, c.source.name, c.node, c.paused) for c in wired().cameras] == [
        (0, "door", "front", False),
        (1, "till", "front", True),
        (2, "yard", "back", False),
    ]


def test_the_application_is_told_something_else() -> None:
    assert wired(parameters={"limit_node": "7"}).hello() == protocol.Hello(
        protocol.VERSION,
        "shop-1",
        ["video_in", "spare"],
        [["video_in", "door", "rtsp://door/"], ["video_in", "till", ""], ["video_in", "yard", "rtsp://yard/"]],
        {"limit": 7, "free": "x"},
        {"video_out": True, "unused": False},
        ["m"],
        False,
    )


def test_the_model_is_looked_for_elsewhere() -> None:
    assert wired().model_demand(MANIFEST.models[0]).path == "/gg/work/vedette.model.M/current/a/m.onnx"


def test_a_value_of_the_wrong_type_is_taken() -> None:
    with pytest.raises(ApplicationConfigurationError, match=r"parameters\.limit_node: takes an integer"):
        wired(parameters={"limit_node": "many"})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"parameters": {"limit_node": 9}}, True),
        ({"cameras": {"front": [{"name": "door", "url": "rtsp://door/"}]}}, False),
        ({"instance": "shop-2"}, False),
    ],
)
def test_what_needs_a_restart(changes: dict[str, Any], same: bool) -> None:
    assert wired().same_processes(wired(**changes)) is same


REPORT = protocol.Report(0, 0, 0, -1.0, 0.0, 0, [], [], {})
GOT = REPORT._replace(inputs=[[0, 5]])


def camera_status(state: CameraState, detail: str = "") -> CameraStatus:
    return CameraStatus(camera_id="c", name="door", state=state, detail=detail, since=0)


def model_status(state: ModelState, detail: str = "") -> ModelStatus:
    return ModelStatus(model_id=MODEL_ID, name="m.onnx", state=state, detail=detail, since=0)


@pytest.mark.parametrize(
    ("facts", "state", "detail"),
    [
        ({"attached": False, "running_s": 1.0}, ApplicationState.STARTING, ""),
        ({"attached": False, "running_s": 11.0}, ApplicationState.RUNNING, "it has not used panoramasdk yet"),
        (
            {"camera": None},
            ApplicationState.WAITING,
            "waiting for the first picture of camera door (vedette.CameraIngest does not answer yet)",
        ),
        (
            {"camera": camera_status(CameraState.WRONG_PASSWORD, "401 from 10.0.0.1")},
            ApplicationState.WAITING,
            "waiting for the first picture of camera door (wrong-password: 401 from 10.0.0.1)",
        ),
        (
            {"camera": camera_status(CameraState.LIVE)},
            ApplicationState.WAITING,
            "camera door is live; the application has not asked for a picture yet",
        ),
        (
            {"report": REPORT._replace(inputs=[[0, 5]])},
            ApplicationState.WAITING,
            "waiting for model m (vedette.ModelInference does not answer yet)",
        ),
        (
            {"report": REPORT._replace(inputs=[[0, 5]]), "model": model_status(ModelState.LOADING)},
            ApplicationState.WAITING,
            "waiting for model m (loading)",
        ),
        ({"report": GOT, "model": model_status(ModelState.READY)}, ApplicationState.RUNNING, ""),
        ({"report": REPORT._replace(inputs=[[0, 5]], calls=3)}, ApplicationState.RUNNING, ""),
    ],
)  # fmt: skip
def test_the_condition_is_called_otherwise(facts: dict[str, Any], state: ApplicationState, detail: str) -> None:
    condition = of_running(
        wired(),
        attached=facts.get("attached", True),
        running_s=facts.get("running_s", 5.0),
        report=facts.get("report", REPORT),
        camera=lambda _: facts.get("camera"),
        model=lambda _: facts.get("model"),
    )
    assert (condition.state, condition.detail) == (state, detail)


def test_every_camera_is_paused_and_one_is_awaited() -> None:
    wiring = wired(cameras={"front": [{"name": "door", "url": "rtsp://d/", "launch": "onSignal"}]})
    condition = of_running(
        wiring, attached=True, running_s=5, report=REPORT, camera=lambda _: None, model=lambda _: None
    )
    assert condition.detail == "every camera is paused"


def test_a_status_does_not_fit_into_a_message() -> None:
    status = ApplicationStatus(
        instance="shop-1",
        application="shop",
        state=ApplicationState.RUNNING,
        since=0,
        detail="d" * 3000,
        parameters=[ParameterStatus(name=f"p{i}", value="ü" * 900) for i in range(60)],
    )
    small = fitting(status)
    assert len(small.encode()) <= MAX_BYTES
    assert len(small.parameters) > 10
    assert small.parameters[0].value == "ü" * 60 + "…"
    assert fitting(status.model_copy(update={"parameters": [], "detail": "short"})).detail == "short"


def test_an_output_id_breaks_topics_and_files() -> None:
    assert output_id_of("shop.north-1", "video_out", "door") == "shop.north-1.video_out.door"
    assert output_id_of("shop-1", "video_out", "door") == "shop-1.video_out.door"
    changed = output_id_of("shop-1", "video_out", "a/b#+ ü.x")
    assert re.fullmatch(r"shop-1\.video_out\.a-b-----x-[0-9a-f]{8}", changed)
    assert changed != output_id_of("shop-1", "video_out", "a-b#+ ü.x")
    assert len(output_id_of("i" * 300, "p" * 300, "s" * 300)) < 200


def test_a_report_of_nonsense_is_believed() -> None:
    inputs: list[Any] = [[0, 5], [0, 2], ["0", 5], [1], 7, [0, -3], [0, True]]
    outputs: list[Any] = [["o", "s", 1, 64, 48, 0], ["o", "s", 2, 0, 0, 1], ["o", "s"], [1, 2, 3, 4, 5, 6], None]
    report = REPORT._replace(inputs=inputs, outputs=outputs)
    assert frames_got(report) == {0: 7}
    assert output_entries(report) == [("o", "s", 3, 64, 48, 1)]
