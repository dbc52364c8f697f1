"""Parameters, pauses, restarts out of the shadow of a running application, and what the host tells back."""

import logging
import queue
import time
from collections.abc import Callable
from typing import Any

import pytest

from vedette.application import shadow_name
from vedette.messages import ApplicationState

from .conftest import INSTANCE, Rig
from .test_what_changes_while_it_runs import WATCHES, wait_for_more

THING = "core-1"
NAME = shadow_name(INSTANCE)
SAYS_LIMIT = (
    "import json, os, panoramasdk, time\n"
    "node = panoramasdk.node()\n"
    "print(json.dumps({'started': os.getpid()}), flush=True)\n"
    "said = None\n"
    "while True:\n"
    "    value = node.inputs.limit.get()\n"
    "    if value != said:\n"
    "        print(json.dumps({'value': value}), flush=True)\n"
    "    said = value\n"
    "    time.sleep(0.01)\n"
)


def desire(rig: Rig, **desired: Any) -> None:
    rig.probe.update_shadow(THING, NAME, {"state": {"desired": desired}})


def wait_for_report(rig: Rig, fits: Callable[[dict[str, Any]], bool], timeout_s: float = 30) -> dict[str, Any]:
    heard: queue.SimpleQueue[tuple[str, bytes]] = rig.probe.record(f"$aws/things/{THING}/shadow/name/{NAME}/#")
    deadline = time.monotonic() + timeout_s
    while True:
        document = rig.probe.get_shadow(THING, NAME) or {}
        reported: dict[str, Any] = document.get("state", {}).get("reported", {})
        if fits(reported):
            return reported
        assert time.monotonic() < deadline, f"the shadow says {document}"
        try:
            heard.get(timeout=1)
        except queue.Empty:
            continue


def limited(rig: Rig, default: int = 1) -> None:
    rig.source(SAYS_LIMIT)
    rig.parameter("limit", "int32", default)


def test_a_value_in_the_shadow_does_not_reach_the_application(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limited(rig)
    rig.configuration["parameters"] = {"limit_node": 5}
    rig.start(thing=THING)
    assert rig.said("value") == [5]
    first = wait_for_report(rig, lambda r: r.get("parameters") == {"limit_node": 5})
    assert first["origins"] == {"limit_node": "deployment"}

    desire(rig, parameters={"limit_node": "9"})
    assert rig.said("value", count=2) == [5, 9]
    assert wait_for_report(rig, lambda r: r["parameters"] == {"limit_node": 9})["origins"] == {"limit_node": "shadow"}
    status = rig.status(lambda s: bool(s.parameters) and s.parameters[0].origin == "shadow")
    assert status.parameters[0].value == 9

    desire(rig, parameters={"limit_node": "many"}, colour="red")
    told = wait_for_report(rig, lambda r: len(r.get("rejected", {})) == 2)
    assert "int32" in told["rejected"]["parameters.limit_node"]
    assert told["rejected"]["colour"] == "unknown key"
    assert told["parameters"] == {"limit_node": 5}  # what cannot be used leaves what the deployment says

    desire(rig, parameters={"limit_node": None}, colour=None)
    told = wait_for_report(rig, lambda r: "rejected" not in r or not r["rejected"])
    assert told["origins"] == {"limit_node": "deployment"}
    assert rig.said("value", count=3)[-1] == 5
    assert len(rig.said("started")) == 1
    logged = [record.message for record in caplog.records if getattr(record, "about", "") == "stream:shadow_log"]
    assert "parameter limit was changed (shadow)" in logged
    assert [text for text in logged if "parameters.limit_node" in text]


def test_a_deleted_shadow_leaves_its_values(rig: Rig) -> None:
    limited(rig)
    desire(rig, parameters={"limit_node": 3})
    rig.start(thing=THING)
    wait_for_report(rig, lambda r: r.get("origins") == {"limit_node": "shadow"})
    assert rig.said("value")[-1] == 3
    rig.probe.delete_shadow(THING, NAME)
    wait_for_report(rig, lambda r: r.get("origins") == {"limit_node": "graph"})
    rig.status(lambda s: bool(s.parameters) and s.parameters[0].value == 1)


def test_a_restart_is_done_twice_or_again_after_a_start(rig: Rig) -> None:
    limited(rig)
    desire(rig, restart="before")
    rig.start(thing=THING)
    assert wait_for_report(rig, lambda r: "restart" in r)["restart"] == "before"
    assert len(rig.said("started")) == 1
    desire(rig, restart="now")
    wait_for_report(rig, lambda r: r["restart"] == "now")
    assert len(rig.said("started", count=2)) == 2
    desire(rig, restart="now", parameters={"limit_node": 4})
    wait_for_report(rig, lambda r: r["parameters"] == {"limit_node": 4})
    assert len(rig.said("started")) == 2
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING).errors == 0


def test_a_camera_paused_in_the_shadow_delivers(rig: Rig) -> None:
    rig.source(WATCHES)
    door, yard = rig.camera("door"), rig.camera("yard")
    door.start()
    yard.start()
    rig.start(thing=THING)
    wait_for_more(rig, "door")
    wait_for_more(rig, "yard")
    desire(rig, cameras={"yard": "PAUSE"})
    told = wait_for_report(rig, lambda r: r.get("cameras", {}).get("yard") == "PAUSE")
    assert told["cameras"] == {"front": "RESUME", "yard": "PAUSE"}
    assert rig.status(lambda s: bool(s.paused)).paused == [yard.source.camera_id]
    wait_for_more(rig, "door")
    desire(rig, cameras=None)
    wait_for_report(rig, lambda r: r["cameras"] == {"front": "RESUME"})
    wait_for_more(rig, "yard")


@pytest.mark.parametrize("filler", [7000, 8100])
def test_a_full_shadow_stops_the_report(rig: Rig, filler: int) -> None:
    limited(rig)
    desire(rig, parameters={"limit_node": 2}, filler="x" * filler)
    rig.start(thing=THING)
    assert rig.said("value", count=1)[-1] == 2 or rig.said("value", count=2)[-1] == 2
    if filler == 7000:
        told = wait_for_report(rig, lambda r: r.get("parameters") == {"limit_node": 2})
        assert told["rejected"] == {"filler": "unknown key"}
