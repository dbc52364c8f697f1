"""The recipes that go with the project: what AWS, nucleus lite and GDK ask of them, and least privilege."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import vedette
from vedette.build import OWN_COMPONENTS
from vedette.nucleus.recipe import MAX_RECIPE_BYTES, Platform, VersionRequirement, lifecycle_for, read_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
LITE_STEPS = {"install", "run", "startup", "bootstrap"}
TOPICS_OF = {
    "vedette.CameraIngest": {"vedette/camera/*/status", "vedette/camera/+/demand"},
    "vedette.ModelInference": {"vedette/model/*/status", "vedette/model/+/demand"},
    "vedette.Display": {
        "vedette/display/status",
        "vedette/camera/*/demand",
        "vedette/camera/+/demand",
        "vedette/camera/+/status",
        "vedette/model/+/demand",
        "vedette/model/+/status",
        "vedette/application/+/status",
        "vedette/output/+/status",
        "vedette/deployment/status",
        "vedette/monitor/status",
    },
    "vedette.DeviceMonitor": {
        "vedette/camera/+/status",
        "vedette/model/+/status",
        "vedette/application/+/status",
        "vedette/display/status",
        "vedette/deployment/status",
        "vedette/health",
        "vedette/monitor/status",
        "$aws/things/*/shadow/name/vedette:health/update/documents",
        "$aws/things/*/shadow/name/vedette:health/delete/accepted",
    },
}
SERVICES_OF = {
    "vedette.Display": {"aws.greengrass.ShadowManager"},
    "vedette.CameraIngest": {"aws.greengrass.SecretManager"},
    "vedette.DeviceMonitor": {
        "aws.greengrass.Cli",
        "aws.greengrass.ShadowManager",
        "aws.greengrass.ipc.mqttproxy",
    },
}


def document(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_a_component_has_no_recipe() -> None:
    assert {path.stem for path in RECIPES} >= {component.name for component in OWN_COMPONENTS}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_refused_by_aws(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.component_name == path.stem
    assert not recipe.component_name.startswith("aws.greengrass")
    assert recipe.component_version == vedette.__version__
    assert recipe.component_type == "aws.greengrass.generic"
    assert recipe.component_publisher
    assert recipe.component_description
    assert path.stat().st_size < MAX_RECIPE_BYTES
    for uri in [a["URI"] for manifest in document(path)["Manifests"] for a in manifest.get("Artifacts", ())]:
        assert uri.startswith("s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_does_not_work_on_nucleus_lite(path: Path) -> None:
    for manifest in document(path)["Manifests"]:
        assert manifest["Platform"]["runtime"] == "*"
        # Lite takes lower-case steps only, and knows no shutdown, recover or Skipif.
        assert set(manifest["Lifecycle"]) <= LITE_STEPS
        for step in manifest["Lifecycle"].values():
            assert isinstance(step, str) or set(step) <= {"Script", "Setenv", "RequiresPrivilege", "Timeout"}
            script = step if isinstance(step, str) else step["Script"]
            assert "vedette.Runtime:" not in script, "nucleus lite has no variables of other components"
    lite = Platform({"os": "linux", "architecture": "aarch64", "runtime": "aws_nucleus_lite"})
    assert lifecycle_for(read_recipe(path), lite)[0].steps()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_process_runs_under_a_shell_and_misses_its_signals(path: Path) -> None:
    for manifest in document(path)["Manifests"]:
        run = manifest["Lifecycle"].get("run")
        if run is not None:
            assert run.splitlines()[-1].startswith("exec ")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_component_may_do_more_than_the_topic_table_says(path: Path) -> None:
    configuration = document(path)["ComponentConfiguration"]["DefaultConfiguration"]
    policies = configuration.get("accessControl", {})
    assert set(policies) - {"aws.greengrass.ipc.pubsub"} == SERVICES_OF.get(path.stem, set())
    pubsub = policies.get("aws.greengrass.ipc.pubsub", {})
    resources = {resource for policy in pubsub.values() for resource in policy["resources"]}
    assert resources == TOPICS_OF.get(path.stem, set())
    for name, policy in pubsub.items():
        assert name.startswith(f"{path.stem}:")
        (operation,) = policy["operations"]
        wildcard = "+" if operation == "aws.greengrass#SubscribeToTopic" else "*"
        assert all(wildcard in resource or "+" not in resource for resource in policy["resources"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_configuration_key_is_not_documented(path: Path) -> None:
    lines = path.read_text().splitlines()
    keys = set(document(path)["ComponentConfiguration"]["DefaultConfiguration"]) - {"accessControl"}
    for key in keys:
        at = next(number for number, line in enumerate(lines) if line.startswith(f"    {key}:"))
        assert lines[at - 1].strip().startswith("# "), key


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_dependency_cannot_be_met_by_this_version(path: Path) -> None:
    names = {other.stem for other in RECIPES}
    recipe = read_recipe(path)
    for name, dependency in recipe.component_dependencies.items():
        if name in names:
            assert VersionRequirement.parse(dependency.version_requirement).allows(recipe.version)


@pytest.mark.parametrize("path", sorted(ROOT.glob("components/*/gdk-config.json")), ids=lambda path: path.parent.name)
def test_gdk_refuses_a_component_folder(path: Path) -> None:
    config = json.loads(path.read_text())
    ((name, component),) = config["component"].items()  # GDK takes exactly one
    assert set(component) >= {"author", "version", "build", "publish"}
    assert component["version"] == vedette.__version__
    command = component["build"]["custom_build_command"]
    assert (path.parent / command[0]).resolve() == ROOT / "scripts" / "build-component"
    assert command[1:] == [name, "--gdk", "greengrass-build"]
    recipe = path.with_name("recipe.yaml")
    assert recipe.resolve() == ROOT / "recipes" / f"{name}.yaml"
