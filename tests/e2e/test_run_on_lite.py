"""The suite on the local nucleus as nucleus lite: pictures of a camera without login, a clear word for one with."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import eventually

from .suite import EXAMPLES, STREET, Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "people-counter"
    shutil.copytree(EXAMPLES / "people-counter", folder, ignore=shutil.ignore_patterns(".vedette"))
    return folder


def run(start_suite: Callable[..., Suite], project: Path, camera: str) -> Suite:
    return start_suite("run", project, "--nucleus", "lite", "--camera", camera, "--no-browser", "--port", "0")


def test_pictures_need_the_java_nucleus(start_suite: Callable[..., Suite], project: Path) -> None:
    suite = run(start_suite, project, f"camera_node={STREET}")
    suite.wait_for_pictures()
    assert (suite.folder / "gg-ipc.socket").is_socket()
    assert not suite.health().problems
    suite.interrupt()
    assert suite.process.returncode == 0, suite.talk
    assert suite.leftovers.found() == []


def test_camera_with_a_login_has_no_clear_state(start_suite: Callable[..., Suite], project: Path) -> None:
    suite = run(start_suite, project, "camera_node=rtsp://viewer:secret-word@127.0.0.1:9/stream")
    eventually(lambda: list(suite.registry.glob("vedette/*/instance.json")), "the run is registered")
    eventually(lambda: suite.camera_states().get("camera_node") == "secret-unavailable", "the state", within_s=60.0)
    problem = next(problem for problem in suite.health().problems if problem.subject == "camera_node")
    assert "nucleus has no secrets" in problem.detail
    assert not any("secret-word" in log for log in suite.logs().values())
    suite.interrupt()
