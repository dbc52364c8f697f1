"""The example as a project to compile, with a camera that has a password."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vedette.compiler import Compiled, compile_application
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.resources import examples_dir


@pytest.fixture
def example(tmp_path: Path) -> Path:
    source = examples_dir() / "people-counter"
    return shutil.copytree(source, tmp_path / "people-counter", ignore=shutil.ignore_patterns(".vedette"))


@pytest.fixture
def compile_example(example: Path) -> Callable[..., Compiled]:
    def compiled(
        instance: str | None = None, url: str = "rtsp://admin:hunter2@10.0.0.1/1", **settings: object
    ) -> Compiled:
        source = CameraSource(name="gate", url=url)
        result = resolve(load_project(example), (), {"camera_node": [source]}, settings, instance)
        assert result.application is not None, [str(item) for item in result.findings]
        return compile_application(result.application)

    return compiled
