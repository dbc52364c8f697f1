"""The examples are what users copy: no finding, and overrides that work."""

from pathlib import Path

import pytest

from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.resources import examples_dir

PROJECTS = sorted(path.parent for path in examples_dir().glob("*/graphs"))


@pytest.mark.parametrize("root", PROJECTS, ids=lambda path: path.name)
def test_example_has_findings(root: Path) -> None:
    project = load_project(root)
    assert project.findings() == []
    cameras = {"camera_node": [CameraSource(name="street", url="/street.mp4")]}
    result = resolve(project, (), cameras)
    assert result.findings == ()
    assert result.application is not None
    assert result.application.models


def test_override_of_the_example_does_not_fit() -> None:
    root = examples_dir() / "people-counter"
    cameras = {name: [CameraSource(name=name, url=f"/{name}.mp4")] for name in ("LOBBY", "GATE")}
    result = resolve(load_project(root), [root / "graphs/people-counter/override.json"], cameras)
    assert result.findings == ()
    assert result.application is not None
    assert [item.name for item in result.application.cameras["camera_node"]] == ["LOBBY", "GATE"]
