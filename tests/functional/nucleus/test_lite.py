"""The nucleus as nucleus lite: recipes, environment, configuration and deployments."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import LocalDeploymentRequest
from vedette.nucleus.nucleus import Nucleus

from .conftest import Bench, Heard, wait_until

SLEEPS = "exec sleep 600"


@pytest.fixture
def lite(runtime_folder: Path, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "root")
    made.heard = Heard()
    made.nucleus = Nucleus(made.root, thing_name="bench", listeners=[made.heard], personality="lite")
    made.nucleus.start()
    yield made
    made.nucleus.stop()


def recipe(bench: Bench, name: str, lifecycle: dict[str, Any], **changes: Any) -> None:
    bench.recipe(
        name, lifecycle, configuration=changes.pop("configuration", {}), version=changes.pop("version", "1.0.0")
    )
    path = next((bench.root / "packages" / "recipes").glob(f"{name}-*.json"))
    document = json.loads(path.read_text())
    document["Manifests"][0]["Platform"] = changes.pop("platform", {"os": "linux", "runtime": "*"})
    path.write_text(json.dumps(document))


def test_unknown_personality_is_taken(tmp_path: Path) -> None:
    with pytest.raises(NucleusError, match="there is no nucleus 'light': expected java or lite"):
        Nucleus(tmp_path, personality="light")


def test_component_sees_the_java_nucleus_s_environment(lite: Bench) -> None:
    recipe(lite, "a", {"run": f"env | grep -E 'SOCKET|SVCUID' | sort; {SLEEPS}"})
    lite.deploy("a")
    first = lite.heard.line("a", "AWS_GG")
    assert first.startswith("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT=")
    assert first.endswith("/gg-ipc.socket")
    lite.heard.line("a", "SVCUID=")
    lines = [
        event.line for event in lite.heard.events if getattr(event, "component", "") == "a" and hasattr(event, "line")
    ]
    assert not any(line.startswith("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH=") for line in lines)


@pytest.mark.parametrize(
    "platform", [{"os": "linux"}, {"os": "linux", "runtime": "aws_nucleus_classic"}, {"os": "/lin.*/", "runtime": "*"}]
)
def test_manifest_that_lite_does_not_match_runs(lite: Bench, platform: dict[str, str]) -> None:
    recipe(lite, "a", {"run": SLEEPS}, platform=platform)
    with pytest.raises(NucleusError, match=r"a 1\.0\.0 has no manifest for this machine"):
        lite.deploy("a")


@pytest.mark.parametrize(
    ("lifecycle", "words"),
    [
        ({"Run": SLEEPS}, "nucleus lite does not know the key 'Run', it wants 'run'"),
        ({"run": {"script": SLEEPS}}, "'script', it wants 'Script'"),
    ],
)
def test_key_in_another_case_is_read(lite: Bench, lifecycle: dict[str, Any], words: str) -> None:
    recipe(lite, "a", lifecycle)
    with pytest.raises(NucleusError, match=words):
        lite.deploy("a")


def test_yaml_numbers_of_a_recipe_stay_numbers(lite: Bench) -> None:
    folder = lite.root / "packages" / "recipes"
    folder.mkdir(parents=True)
    (folder / "a-1.0.0.yaml").write_text(
        "RecipeFormatVersion: '2020-01-25'\nComponentName: a\nComponentVersion: 1.0.0\n"
        "ComponentConfiguration: {DefaultConfiguration: {fps: 10, on: true}}\n"
        "Manifests: [{Platform: {os: linux, runtime: '*'}, Lifecycle: {run: {Script: exec sleep 600, Timeout: 5}}}]\n"
    )
    lite.deploy("a")
    assert lite.nucleus.configuration.get("a") == {"fps": "10", "on": "true"}


def test_changed_configuration_leaves_the_component_running(lite: Bench) -> None:
    recipe(lite, "a", {"run": SLEEPS}, configuration={"fps": 1})
    recipe(lite, "b", {"run": SLEEPS})
    lite.deploy("a", "b")
    lite.nucleus.wait_running()
    before = lite.pid("a"), lite.pid("b")
    lite.deploy("a", "b", a={"fps": 2})
    lite.nucleus.wait_running()
    assert lite.pid("a") != before[0]
    assert lite.pid("b") == before[1]
    changed = lite.pid("a")
    lite.deploy("a", "b", a={"fps": 2})
    assert lite.pid("a") == changed, "nothing has changed, yet it was restarted"


def test_new_default_does_not_reach_the_component(lite: Bench) -> None:
    recipe(lite, "a", {"run": SLEEPS}, configuration={"fps": 1, "own": 1})
    lite.deploy("a", a={"own": 2})
    for path in (lite.root / "packages" / "recipes").iterdir():
        path.unlink()
    recipe(lite, "a", {"run": SLEEPS}, configuration={"fps": 5, "own": 5}, version="2.0.0")
    lite.deploy("a")
    assert lite.nucleus.configuration.get("a") == {"fps": 5, "own": 2}


def test_failed_deployment_is_rolled_back(lite: Bench) -> None:
    recipe(lite, "a", {"run": "exit 3"})
    desk = lite.nucleus.local_deployments
    deployment_id = desk.create(LocalDeploymentRequest(add={"a": "1.0.0"}, roll_back=True))
    wait_until(lambda: (found := desk.find(deployment_id)) is not None and found.status == "FAILED", 20)
    found = desk.find(deployment_id)
    assert found is not None
    assert found.detail == "FAILED_ROLLBACK_NOT_REQUESTED"


def test_steps_that_lite_lacks_are_run(lite: Bench, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    recipe(
        lite,
        "a",
        {
            "install": {"Script": "echo installed", "Skipif": "exists /"},
            "run": SLEEPS,
            "shutdown": f"touch {marker}",
        },
    )
    lite.deploy("a")
    assert lite.heard.line("a", "installed") == "installed"
    lite.nucleus.wait_running()
    lite.nucleus.deploy(Deployment(components={}))
    assert not marker.exists()
    assert ComponentDeployment().root
