"""Whole applications with the habits of published ones, in their sandbox."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vedette_app_runtime.environments import Environment

from vedette.messages import ApplicationState
from vedette.rings.calls import TensorSpec

from .conftest import Rig
from .model_stand_in import StandInModel

DATA = TensorSpec("data", "float32", (1, 3, 8, 8))
PYTHONS = [
    ("3.7", "numpy==1.18.5"),
    ("3.8", "numpy==1.24.4"),
    ("3.13", "numpy"),
]
"""The oldest and the newest Python, and what AWS's base images had."""
if os.environ.get("VEDETTE_EVERY_PYTHON"):
    # Every one from 3.7 to 3.13, with the oldest numpy that it can install from a wheel, and the newest.
    PYTHONS += [
        ("3.7", "numpy==1.21.6"),
        ("3.8", "numpy==1.18.5"),
        ("3.9", "numpy==1.19.3"),
        ("3.9", "numpy"),
        ("3.10", "numpy==1.21.3"),
        ("3.10", "numpy"),
        ("3.11", "numpy==1.23.2"),
        ("3.11", "numpy"),
        ("3.12", "numpy==1.26.0"),
        ("3.12", "numpy"),
        ("3.13", "numpy==2.1.0"),
    ]


def sums(arrays: dict[str, Any]) -> list[Any]:
    return [np.array([[array.sum()] for array in arrays.values()], np.float32)]


def everything(rig: Rig) -> None:
    """Give the rig two cameras, a model, a parameter and two outputs."""
    for name in ("door", "yard"):
        rig.camera(name).start()
    rig.parameter("threshold", "float32", 20)
    rig.output()
    rig.output("unconnected", None)
    rig.model("model_node", StandInModel("m", rig.probe, rig.folder, sums, [DATA])).start()
    rig.manifest["entry"]["environment"] = {"GREETING": "hello"}


def check_habits(rig: Rig) -> dict[str, Any]:
    habits: dict[str, Any] = rig.said("habits", 30)[0]
    assert habits["size"] == [48, 64, 3]
    assert set(habits["streams"]) <= {"door", "yard"}
    assert habits["kept"]
    assert habits["same array"]
    assert habits["threshold"] == "20.0"
    assert habits["has"] == [True, False]
    assert habits["time-out"][:2] == ["TimeoutException", "TimeoutError"]
    assert habits["empty put"][0] == "ValueError"
    assert habits["unconnected put"] is None
    assert habits["unknown model"][0] == "KeyError"
    assert habits["thread"]
    assert habits["outputs"] == [True, [[1, 1]]]
    assert habits["other order"] == 192.0
    assert habits["old numpy"] == [1.5, [1], float("inf"), 6]
    assert habits["environment"]["AppGraph_Uid"] == "test-app"
    assert habits["environment"]["GREETING"] == "hello"
    assert habits["environment"]["container"] == "podman"
    assert habits["environment"]["TERM"] == "xterm"
    assert habits["environment"]["AWS_REGION"]
    assert (rig.work / "storage/kept.txt").read_text() == "once\n"
    assert (rig.work / "logs/application/app.log").read_text() == "a line\n"
    return habits


def test_a_habit_of_applications_is_not_served(rig: Rig) -> None:
    rig.use("habits.py")
    everything(rig)
    rig.start()
    habits = check_habits(rig)
    assert habits["cwd"] == "/"
    assert habits["relative"]
    status = rig.status(lambda s: s.state == ApplicationState.RUNNING and s.model_ms is not None and bool(s.fps))
    assert status.models == {"model_node": rig.models[0].model_id}
    assert status.cameras == {"video_in": [camera.source.camera_id for camera in rig.cameras]}
    assert sorted(status.outputs) == ["test-app.video_out.door", "test-app.video_out.yard"]
    [parameter] = status.parameters
    assert (parameter.name, parameter.node, parameter.value, parameter.origin) == (
        "threshold",
        "threshold_node",
        20.0,
        "graph",
    )
    assert parameter.reads >= 1
    lease, _ = rig.look("yard").frame()
    assert json.loads(lease.meta) == {"labels": [["l", 0.5, 1.0]], "rects": []}


def interpreter(version: str) -> str | None:
    """Return an interpreter of this version from the path or pyenv's folder."""
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return str(managed[-1]) if managed else shutil.which(f"python{version}")


@pytest.fixture(scope="session", params=PYTHONS, ids=lambda p: f"{p[0]}-{p[1]}")
def old_environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    version, numpy = request.param
    uv = str(Path(sys.prefix) / "bin/uv")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    venv = tmp_path_factory.mktemp("old") / "venv"
    for command in (
        ["venv", "--python", python, str(venv)],
        ["pip", "install", "--python", str(venv / "bin/python"), "--only-binary", ":all:", numpy],
    ):
        made = subprocess.run([uv, *command], capture_output=True, text=True, check=False, timeout=120)
        if made.returncode != 0:
            pytest.skip(f"no {numpy} for Python {version} to be had: {made.stderr.strip()[-200:]}")
    base = subprocess.run(
        [str(venv / "bin/python"), "-c", "import sys; print(sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.strip()
    return Environment(venv / "bin/python", venv / "bin", (venv, Path(base)), f"Python {version}, {numpy}")


@pytest.mark.timeout(180)
def test_the_oldest_python_is_too_old(rig: Rig, old_environment: Environment) -> None:
    rig.use("habits.py")
    everything(rig)
    rig.start(prepare=lambda _progress, _stop: old_environment)
    habits = check_habits(rig)
    found = f"Python {'.'.join(map(str, habits['python']))}, numpy=={habits['numpy']}"
    assert found.startswith(old_environment.summary), "it ran with others"
    rig.status(lambda s: s.state == ApplicationState.RUNNING and s.environment == old_environment.summary)


def test_forked_processes_take_the_parents_frames_and_answers(rig: Rig) -> None:
    rig.use("forks.py")
    rig.camera("door").start()
    rig.model("model_node", StandInModel("m", rig.probe, rig.folder, sums, [DATA])).start()
    rig.start()
    children = sorted(rig.said("child", 30, count=2))
    assert [child[:3] for child in children] == [[1, "door", 192.0], [2, "door", 384.0]]
    assert rig.said("parent", 30) == [192.0]


def test_a_bash_entry_with_redirections_does_not_start(rig: Rig) -> None:
    rig.use("run_app.sh", "draws.py")
    rig.manifest["entry"] = {"path": "bash", "name": "/panorama/run_app.sh", "arguments": ["--quiet"]}
    rig.camera("door").start()
    rig.output()
    rig.start()
    lease, _ = rig.look("door").frame()
    assert lease.header.width == 64
    assert "starting in /panorama" in rig.console()


def test_frames_of_three_cameras_are_mixed_up(rig: Rig) -> None:
    rig.source(
        "import json, panoramasdk\n"
        "node = panoramasdk.node()\n"
        "while True:\n"
        "    streams = node.inputs.video_in.get()\n"
        "    for media in streams:\n"
        "        media.add_label(media.stream_id, 0, 0)\n"
        "    node.outputs.video_out.put(streams)\n"
    )
    for name in ("a", "b", "c"):
        rig.camera(name).start()
    rig.output()
    rig.start()
    for name in ("a", "b", "c"):
        looker = rig.look(name)
        for _ in range(5):
            lease, _ = looker.frame()
            assert json.loads(lease.meta)["labels"] == [[name, 0.0, 0.0]]
        looker.close()
