"""What published applications do, and ``vedette run`` must take: no camera at all, a camera that waits for a signal."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import eventually, wait

from .suite import AT_MOST_S, STREET, VEDETTE, Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "applications"


def test_application_without_cameras_and_outputs_is_waited_for(
    start_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    project = tmp_path / "no_camera"
    shutil.copytree(FIXTURES / "no_camera", project, ignore=shutil.ignore_patterns(".vedette"))
    host_port = free_port()
    suite = start_suite("run", project, "--no-browser", "--port", "0", "--open", f"{host_port}:80")
    # THEN it is said that it runs, where the page is, and what becomes of its port
    eventually(lambda: "page http" in suite.talk, "the page is told", within_s=90)
    assert "no_camera runs; no picture on an output yet" in suite.talk
    assert f"port 80 (http) of the application is port {host_port} of this machine" in suite.talk
    eventually(lambda: suite.health().applications[0].ports, "its port is open")
    with urllib.request.urlopen(f"http://127.0.0.1:{host_port}/hello", timeout=20) as answer:
        assert answer.read() == b"/hello"
    # WHEN it logs an error and ends as if all were well
    with urllib.request.urlopen(f"http://127.0.0.1:{host_port}/fail", timeout=20):
        pass
    # THEN the error is shown, and it is started again
    eventually(lambda: "RuntimeError: asked to fail at application.py:" in suite.talk, "the reason is told")
    assert "(says its app.log), exit 0" in suite.talk
    eventually(lambda: suite.health().applications[0].restarts == 1, "it runs again")
    assert suite.interrupt() < AT_MOST_S
    assert suite.leftovers.found() == []


def test_camera_that_waits_for_its_signal_delivers_or_is_called_broken(
    start_suite: Callable[..., Suite], recorder: Path, tmp_path: Path
) -> None:
    # GIVEN AWS's way of putting two cameras on a node, the second of which waits for a signal
    cameras = {"CAMERA_A": "onAppStart", "CAMERA_B": "onSignal"}
    override = {
        "envelopeVersion": "2021-01-01",
        "packages": [{"name": f"123456789012::{name}", "version": "1.0"} for name in cameras],
        "nodes": [
            {"name": name, "interface": f"123456789012::{name}.{name}", "launch": launch}
            for name, launch in cameras.items()
        ],
        "nodeOverrides": [{"replace": "camera_node", "with": [{"name": name} for name in cameras]}],
    }
    document = tmp_path / "override-multicam.json"
    document.write_text(json.dumps({"nodeGraphOverrides": override}))
    suite = start_suite(
        "run", recorder, "--override", document, "--camera", f"CAMERA_A={STREET}", "--camera", f"CAMERA_B={STREET}",
        "--no-browser", "--port", "0",
    )  # fmt: skip
    suite.wait_for_pictures()
    # WHEN it has run for longer than a status may be silent
    wait(6.0)
    # THEN the second is paused, which is no problem
    health = suite.health()
    assert suite.camera_states() == {"CAMERA_A": "live", "CAMERA_B": "paused"}
    assert health.problems == []
    assert [output.stream for output in health.outputs] == ["CAMERA_A"]
    (record,) = suite.root.rglob("rounds.jsonl")
    rounds = [json.loads(line) for line in record.read_text().split("\n")[:-1]]
    assert {tuple(stream["stream"] for stream in streams) for streams in rounds} == {("CAMERA_A",)}
    assert len(rounds) > 20
    assert "CAMERA_B" not in [line.split()[1] for line in suite.talk.splitlines() if line.startswith("  !")]
    # WHEN the second gets its signal, and the first is paused
    (instance,) = [application.instance for application in health.applications]
    for signal, camera in (("resume", "CAMERA_B"), ("pause", "CAMERA_A")):
        said = subprocess.run(
            [VEDETTE, "camera", signal, instance, camera, "--json"],
            env=suite.environ, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert json.loads(said.stdout)["taken"] is True
    # THEN they have changed places, while the application runs on
    eventually(
        lambda: suite.camera_states() == {"CAMERA_A": "paused", "CAMERA_B": "live"}, "they change places", within_s=30
    )
    eventually(
        lambda: "CAMERA_B" in [output.stream for output in suite.health().outputs if output.state == "live"],
        "the second is put out",
        within_s=30,
    )
    assert suite.health().applications[0].restarts == 0
    assert suite.interrupt() < AT_MOST_S
