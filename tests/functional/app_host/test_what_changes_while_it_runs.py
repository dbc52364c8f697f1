"""Cameras and models that come late, go and come back; configuration that changes; pauses."""

import queue
from pathlib import Path

import numpy as np
import pytest

from vedette.application import ApplicationConfigurationError
from vedette.messages import ApplicationState, CameraDemand, CameraState, ModelDemand, ModelState
from vedette.rings.calls import TensorSpec

from .conftest import Rig
from .model_stand_in import StandInModel

WATCHES = """
import json, panoramasdk
node = panoramasdk.node()
while True:
    streams = node.inputs.video_in.get()
    fresh = [s.stream_id for s in streams if not s.is_cached]
    print(json.dumps({"fresh": fresh, "listed": [s.stream_id for s in streams]}), flush=True)
"""
CALLS = """
import json, numpy as np, panoramasdk
node = panoramasdk.node()
number = 0
while True:
    number += 1
    outputs = node.call({"x": np.array([number])}, "model_node")
    assert outputs[0].tolist() == [number], outputs
    print(json.dumps({"answered": number}), flush=True)
"""


def fresh_of(rig: Rig, name: str) -> int:
    return sum(name in fresh for fresh in rig.said("fresh", count=0))


def wait_for_more(rig: Rig, name: str) -> None:
    before = fresh_of(rig, name)
    count = len(rig.said("fresh", count=0))
    while fresh_of(rig, name) <= before:
        count += 1
        rig.said("fresh", count=count)


def test_an_absent_camera_is_not_named(rig: Rig) -> None:
    rig.source(WATCHES)
    camera = rig.camera("door")
    camera.state, camera.detail = CameraState.UNREACHABLE, "no answer of 10.0.0.7:554"
    demands = rig.probe.record(CameraDemand.topic("+"))
    rig.start()
    status = rig.status(lambda s: s.state == ApplicationState.WAITING and "10.0.0.7" in s.detail)
    assert status.detail == "waiting for the first picture of camera door (unreachable: no answer of 10.0.0.7:554)"
    topic, payload = demands.get(timeout=20)
    assert topic == CameraDemand.topic(camera.source.camera_id)
    demand = CameraDemand.model_validate_json(payload)
    assert (demand.source, demand.instance, demand.node, demand.wanted) == (camera.source, "test-app", "front", True)
    camera.start()
    rig.status(lambda s: s.state == ApplicationState.RUNNING)


def test_a_restarted_camera_is_not_read_again(rig: Rig) -> None:
    rig.source(WATCHES)
    door, yard = rig.camera("door"), rig.camera("yard")
    door.start()
    yard.start()
    rig.start()
    wait_for_more(rig, "door")
    wait_for_more(rig, "yard")
    door.stop()
    wait_for_more(rig, "yard")
    door.start()
    wait_for_more(rig, "door")


def test_a_paused_camera_delivers(rig: Rig) -> None:
    rig.source(WATCHES)
    demands = rig.probe.record(CameraDemand.topic("+"))
    door, yard = rig.camera("door"), rig.camera("yard", launch="onSignal")
    door.start()
    yard.start()
    rig.start()
    wait_for_more(rig, "door")
    assert fresh_of(rig, "yard") == 0
    assert yard.readers == 0
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING).paused == [yard.source.camera_id]

    cameras = rig.configuration["cameras"]["front"]
    rig.configure(cameras={"front": [cameras[0], {**cameras[1], "launch": "onAppStart"}]})
    wait_for_more(rig, "yard")

    rig.configure(cameras={"front": [{**cameras[0], "launch": "onSignal"}, {**cameras[1], "launch": "onAppStart"}]})
    rig.said("listed", count=len(rig.said("listed", count=0)) + 50)
    assert rig.said("listed")[-1] == ["yard"]
    heard = []
    while not demands.empty():
        heard.append(CameraDemand.model_validate_json(demands.get()[1]))
    wanted = [d.wanted for d in heard if d.source.name == "yard"]
    assert wanted
    assert all(wanted)
    assert [d.wanted for d in heard if d.source.name == "door"][-1] is False
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING).errors == 0


def test_a_changed_parameter_needs_a_restart(rig: Rig) -> None:
    rig.source(
        "import json, panoramasdk, time\n"
        "node = panoramasdk.node()\n"
        "while True:\n"
        "    print(json.dumps({'value': node.inputs.limit.get()}), flush=True)\n"
        "    time.sleep(0.004)\n"
    )
    rig.parameter("limit", "int32", 1)
    rig.start()
    assert rig.said("value")[0] == 1
    rig.configure(parameters={"limit_node": "7"})  # as text: nucleus lite
    count = len(rig.said("value", count=0)) + 200
    assert rig.said("value", count=count)[-1] == 7
    rig.configure(parameters={"limit_node": "many"})
    status = rig.status(lambda s: bool(s.parameters) and s.parameters[0].value == 7 and s.parameters[0].reads > 100)
    assert status.parameters[0].origin == "deployment"
    assert status.errors == 0
    assert status.state == ApplicationState.RUNNING


def test_a_changed_camera_is_not_attached(rig: Rig) -> None:
    rig.source(WATCHES)
    rig.camera("door").start()
    rig.start()
    wait_for_more(rig, "door")
    rig.configuration["cameras"]["front"] = []
    rig.camera("yard").start()
    rig.configure()
    wait_for_more(rig, "yard")
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING).errors == 0


def test_a_configuration_that_breaks_a_rule_starts(rig: Rig) -> None:
    rig.source("")
    rig.parameter("limit", "int32", 1)
    rig.configuration["parameters"] = {"limit_node": "many"}
    with pytest.raises(ApplicationConfigurationError, match=r"parameters\.limit_node"):
        rig.start()


def identity(arrays: "dict[str, np.ndarray]") -> "list[np.ndarray]":
    return [arrays["x"]]


def test_a_model_that_loads_or_is_restarted_loses_calls(rig: Rig) -> None:
    rig.source(CALLS)
    model = StandInModel("m", rig.probe, rig.folder, identity, [TensorSpec("x", "float32", (1,))])
    rig.model("model_node", model)
    model.detail = "reading the file"
    demands: queue.SimpleQueue[tuple[str, bytes]] = rig.probe.record(ModelDemand.topic("+"))
    rig.start()
    status = rig.status(lambda s: s.state == ApplicationState.WAITING and "reading" in s.detail)
    assert status.detail == "waiting for model model_node (loading: reading the file)"
    demand = ModelDemand.model_validate_json(demands.get(timeout=20)[1])
    assert demand.path == str(rig.work.parent / "vedette.model.model_node/current/model.onnx")
    model.start()
    rig.said("answered", count=20)
    model.stop()
    model.start()
    before = len(rig.said("answered", count=0))
    answers = rig.said("answered", count=before + 20)
    assert answers == list(range(1, len(answers) + 1))
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING).errors == 0


def test_a_model_that_failed_is_waited_for_in_silence(rig: Rig) -> None:
    rig.source(CALLS)
    model = StandInModel("m", rig.probe, rig.folder, identity, [TensorSpec("x", "float32", (1,))])
    rig.model("model_node", model)
    model.state, model.detail = ModelState.FAILED, "opset 99 is not known"
    rig.start()
    status = rig.status(lambda s: s.errors > 0)
    assert "model 'model_node' cannot be used: opset 99 is not known at application.py:7, exit 1" in status.detail


def test_an_application_that_reads_once_keeps_the_old_value(rig: Rig) -> None:
    rig.parameter("threshold", "float32", 20)
    rig.source(
        "import json, panoramasdk, time\n"
        "print(json.dumps({'threshold': panoramasdk.node().inputs.threshold.get()}), flush=True)\ntime.sleep(100)\n"
    )
    rig.configuration["restartOnChange"] = True
    rig.start()
    assert rig.said("threshold", 30) == [20.0]
    rig.configure(parameters={"threshold_node": 35})
    assert rig.said("threshold", 30, count=2) == [20.0, 35.0]


def test_saved_files_wait_for_the_delay_of_the_crashes_before_them(rig: Rig, tmp_path: Path) -> None:
    # GIVEN an application that is held back for a minute, having crashed again and again
    rig.source("raise SystemExit('it cannot start')\n")
    rig.start()
    rig.status(lambda s: s.state == ApplicationState.HELD_BACK, timeout_s=40)
    # WHEN its developer saves one that can
    saved = tmp_path / "saved"
    (saved / "panorama").mkdir(parents=True)
    (saved / "panorama/application.py").write_text(
        "import json, time\nprint(json.dumps({'saved': open(__file__).read()[:6]}), flush=True)\ntime.sleep(100)\n"
    )
    rig.configure(sourceFolder=str(saved))
    # THEN it runs at once
    assert rig.said("saved", 20) == ["import"]
    # AND without that folder the component's own files are taken again
    rig.source("import json, time\nprint(json.dumps({'own': 1}), flush=True)\ntime.sleep(100)\n")
    rig.configure(sourceFolder=None)
    assert rig.said("own", 20) == [1]
