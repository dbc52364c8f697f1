"""What ``vedette run`` says to those who made a mistake."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from .suite import EXAMPLES, STREET, VEDETTE

pytestmark = pytest.mark.e2e

PEOPLE_COUNTER = EXAMPLES / "people-counter"


def vedette(tmp_path: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    # Sockets lie in it, whose paths have 107 bytes at most: pytest's own folders are too deep beside other workers.
    with tempfile.TemporaryDirectory(prefix="vedette-") as runtime:
        return subprocess.run(
            [str(VEDETTE), *map(str, arguments)],
            env={**os.environ, "XDG_RUNTIME_DIR": runtime, "XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def run(tmp_path: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return vedette(tmp_path, "run", *arguments, "--no-browser", "--port", "0", "--for", "5")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    target = tmp_path / "my-app"
    shutil.copytree(PEOPLE_COUNTER, target, ignore=shutil.ignore_patterns(".vedette"))
    return target


def assert_helpful(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """The command failed, said what was wrong and what to do, and showed nothing of its own insides."""
    talk = done.stderr + done.stdout
    assert done.returncode in (1, 2), talk
    assert "Traceback" not in talk
    assert "bug of Vedette" not in talk
    for word in (*words, "error"):
        assert word.lower() in talk.lower(), talk


def test_missing_folder(tmp_path: Path) -> None:
    assert_helpful(run(tmp_path, tmp_path / "not-there", "--camera", f"camera_node={STREET}"), "not-there", "expected")


def test_folder_without_a_project(tmp_path: Path) -> None:
    assert_helpful(run(tmp_path, tmp_path, "--camera", f"camera_node={STREET}"), "graph", "hint")


def test_graph_that_is_no_json(tmp_path: Path, project: Path) -> None:
    graph = next(project.glob("graphs/*/graph.json"))
    graph.write_text(graph.read_text().replace('"nodes": [', '"nodes": [,', 1))
    done = run(tmp_path, project, "--camera", f"camera_node={STREET}")
    assert_helpful(done, "graph.json")
    line = next(n for n, text in enumerate(graph.read_text().splitlines(), 1) if "[," in text)
    assert f"graph.json:{line}" in done.stderr, done.stderr


def test_edge_to_a_port_that_does_not_exist(tmp_path: Path, project: Path) -> None:
    graph = next(project.glob("graphs/*/graph.json"))
    document = json.loads(graph.read_text())
    document["nodeGraph"]["edges"][0]["consumer"] = "code_node.vidoe_in"
    graph.write_text(json.dumps(document))
    assert_helpful(run(tmp_path, project, "--camera", f"camera_node={STREET}"), "vidoe_in", "video_in", "hint")


def test_camera_for_an_unknown_node(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--camera", f"camera_nod={STREET}")
    assert_helpful(done, "camera_nod", "camera_node", "hint")


def test_camera_without_a_node(tmp_path: Path, project: Path) -> None:
    assert_helpful(run(tmp_path, project, "--camera", str(STREET)), "NODE=VALUE", "hint")


def test_camera_that_is_not_there(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--camera", "camera_node=street-of-nowhere.mp4")
    assert_helpful(done, "street-of-nowhere.mp4", "hint")


def test_no_camera_at_all(tmp_path: Path, project: Path) -> None:
    assert_helpful(run(tmp_path, project), "camera_node", "hint", "--camera")


def test_setting_of_an_unknown_node(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--camera", f"camera_node={STREET}", "--set", "detection_treshold=35")
    assert_helpful(done, "detection_treshold", "detection_threshold", "hint")


def test_setting_of_the_wrong_type(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--camera", f"camera_node={STREET}", "--set", "detection_threshold=high")
    assert_helpful(done, "detection_threshold", "high")


def test_log_level_that_does_not_exist(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--camera", f"camera_node={STREET}", "--log-level", "LOUD")
    assert_helpful(done, "LOUD", "DEBUG")


def test_override_document_that_is_not_there(tmp_path: Path, project: Path) -> None:
    done = run(tmp_path, project, "--override", tmp_path / "overide.json", "--camera", f"camera_node={STREET}")
    assert_helpful(done, "overide.json")


def test_password_in_what_is_said_about_a_wrong_camera(tmp_path: Path, project: Path) -> None:
    for url in ("ftp://viewer:plantedsecret@127.0.0.1/", "rtsp://viewer:plantedsecret@:554x/s"):
        done = run(tmp_path, project, "--camera", f"camera_node={url}")
        assert_helpful(done, "rtsp" if "ftp" in url else "")
        assert "plantedsecret" not in done.stderr + done.stdout


def test_typo_in_a_command(tmp_path: Path) -> None:
    done = vedette(tmp_path, "staus")
    assert_helpful(done, "staus", "status")
    assert done.returncode == 2


def test_typo_in_an_option(tmp_path: Path, project: Path) -> None:
    done = vedette(tmp_path, "run", project, "--camra", f"camera_node={STREET}")
    assert_helpful(done, "--camra", "--camera")
    assert done.returncode == 2


def test_status_where_nothing_runs(tmp_path: Path) -> None:
    done = vedette(tmp_path, "status")
    assert_helpful(done, "nothing runs here", "vedette demo", "hint")
    assert json.loads(vedette(tmp_path, "status", "--json").stdout)["ok"] is False
