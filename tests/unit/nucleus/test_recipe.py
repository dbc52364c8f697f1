"""Reading recipes: case rules, step forms, platform selection, errors that name the key."""

import json
from typing import Any

import pytest
import yaml

from vedette.nucleus.errors import RecipeError
from vedette.nucleus.recipe import DependencyType, Platform, Recipe, lifecycle_for, parse_recipe

LINUX = Platform({"os": "linux", "architecture": "aarch64", "runtime": "aws_nucleus_classic"})


def recipe(**changes: Any) -> Recipe:
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "a.B",
        "ComponentVersion": "1.0.0",
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "true"}}],
        **changes,
    }
    return parse_recipe(json.dumps(document).encode(), "test")


def test_capital_keys_of_old_recipes_are_not_understood() -> None:
    manifest = {"platform": {"os": "linux"}, "LIFECYCLE": {"Install": {"SCRIPT": "x", "TimeOut": "9"}, "Run": "y"}}
    lifecycle, _ = lifecycle_for(recipe(Manifests=[manifest]), LINUX)
    assert lifecycle.install is not None
    assert (lifecycle.install.script, lifecycle.install.timeout) == ("x", 9.0)
    assert lifecycle.run is not None
    assert lifecycle.run.script == "y"


def test_configuration_keys_lose_their_case() -> None:
    found = recipe(ComponentConfiguration={"DefaultConfiguration": {"logLevel": "INFO", "Port": 1}})
    assert found.component_configuration.default_configuration == {"logLevel": "INFO", "Port": 1}


def test_yaml_dates_and_numbers_break_a_recipe() -> None:
    text = """
RecipeFormatVersion: 2020-01-25
ComponentName: a.B
ComponentVersion: 1.0.0
ComponentDependencies: {c.D: {VersionRequirement: 1.0, DependencyType: soft}}
Lifecycle: {run: 'true', setenv: {PORT: 80, FAST: true}}
Manifests: [{}]
"""
    found = parse_recipe(text.encode(), "test")
    assert found.component_dependencies["c.D"].dependency_type is DependencyType.SOFT
    lifecycle, artifacts = lifecycle_for(found, LINUX)
    assert lifecycle.set_env == {"PORT": "80", "FAST": "true"}
    assert artifacts == []


def test_json_with_tabs_is_refused() -> None:
    data = b'{\t"RecipeFormatVersion": "2020-01-25",\n\t"ComponentName": "a", "ComponentVersion": "1.0.0"}'
    assert parse_recipe(data, "test").component_name == "a"


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"ComponentName": "a b"}, "componentname: 'a b' is not a component name"),
        ({"ComponentName": ".."}, "not a component name"),
        ({"ComponentVersion": "1.0"}, "componentversion: '1.0' is not a semantic version"),
        ({"RecipeFormatVersion": "2021-01-01"}, "recipeformatversion"),
        ({"Manifest": []}, "manifest: unknown key"),
        ({"componentname": "x"}, "is given twice"),
        ({"ComponentDependencies": {"c": {"VersionRequirement": "latest"}}}, "not a version requirement"),
        ({"Manifests": [{"Lifecycle": {"runn": "x"}}]}, "manifests/0/lifecycle/runn: unknown key"),
        ({"Manifests": [{"Lifecycle": {"run": "x", "startup": "y"}}]}, "either 'startup' or 'run'"),
        ({"Manifests": [{"Lifecycle": {"run": {"Script": "x", "Skipif": "sometimes"}}}]}, "onpath PROGRAM"),
        ({"Manifests": [{"Lifecycle": {"run": {"Script": "x", "Timeout": 0}}}]}, "greater than 0"),
    ],
)
def test_an_error_does_not_name_the_key(changes: dict[str, Any], finding: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(**changes)
    assert any(finding in text for text in caught.value.findings), caught.value.findings
    assert all("test" in text for text in caught.value.findings)


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"a: [", "neither YAML nor JSON"),
        (b"- a", "is not an object"),
        (b"a: '" + b"x" * 16_000 + b"'", "AWS takes at most 16000"),
    ],
)
def test_a_file_that_is_no_recipe_is_read(data: bytes, finding: str) -> None:
    with pytest.raises(RecipeError, match=finding):
        parse_recipe(data, "test")


@pytest.mark.parametrize(
    ("platform", "fits"),
    [
        ({}, True),
        ({"os": "all", "architecture": "any"}, True),
        ({"runtime": "all"}, False),
        ({"os": "linux", "runtime": "*"}, True),
        ({"OS": "linux"}, True),
        ({"os": "windows"}, False),
        ({"architecture": "/aarch64|arm/"}, True),
        ({"architecture": "/aarch/"}, False),
        ({"device": "jetson"}, False),
        ({"device": "*"}, True),
        ({"runtime": "aws_nucleus_lite"}, False),
    ],
)
def test_a_manifest_for_another_machine_is_taken(platform: dict[str, str], fits: bool) -> None:
    assert LINUX.matches(platform) is fits


def test_a_later_manifest_wins() -> None:
    manifests = [
        {"Platform": {"os": "windows"}, "Lifecycle": {"run": "1"}},
        {"Platform": {"os": "linux"}, "Lifecycle": {"run": "2"}},
        {"Platform": {"os": "*"}, "Lifecycle": {"run": "3"}},
    ]
    lifecycle, _ = lifecycle_for(recipe(Manifests=manifests), LINUX)
    assert lifecycle.run is not None
    assert lifecycle.run.script == "2"


def test_no_manifest_fits_and_nobody_says_what_there_is() -> None:
    with pytest.raises(RecipeError, match=r"no manifest for this machine \(os linux.*it has: .*windows"):
        lifecycle_for(recipe(Manifests=[{"Platform": {"os": "windows"}}]), LINUX)


GLOBAL = {
    "install": {"jetson": {"Script": "j"}, "all": {"Script": "a"}},
    "run": {"linux": "l", "windows": "w"},
    "linux": {"run": "a section, and no step"},
}


def chosen(*manifests: dict[str, Any], strict: bool = False, lifecycle: dict[str, Any] | None = None) -> dict[str, str]:
    found = recipe(Lifecycle=GLOBAL if lifecycle is None else lifecycle, Manifests=list(manifests))
    platform = Platform({**LINUX.attributes, "runtime": "aws_nucleus_lite"}, strict=True) if strict else LINUX
    return {name: step.script for name, step in lifecycle_for(found, platform)[0].steps().items()}


def test_section_of_the_global_lifecycle_is_another_than_the_java_nucleus_s() -> None:
    whole = {key: GLOBAL[key] for key in ("install", "run")}
    jetson = {"Selections": ["jetson", "linux"], "Lifecycle": {}}
    assert chosen(jetson, lifecycle=whole) == {"install": "j", "run": "l"}
    # Another manifest's selections are keywords as well; what this one does not select is left out.
    assert chosen({}, {"Selections": ["linux"]}, lifecycle=whole) == {"install": "a"}
    # Without selections nothing but "all" is one: not the name of the system.
    assert chosen({}, lifecycle={"linux": {"run": "l"}, "all": {"run": "a"}}) == {"run": "a"}
    assert chosen({"Selections": ["linux"]}) == {"run": "a section, and no step"}


def test_section_of_the_global_lifecycle_is_another_than_lite_s() -> None:
    everywhere = {"os": "linux", "runtime": "*"}
    sections = {"linux": {"run": "l"}, "all": {"run": "a"}, "jetson": {"run": "j"}}
    assert chosen({"Platform": everywhere}, strict=True, lifecycle=sections) == {"run": "a"}
    selected = {"Platform": everywhere, "Selections": ["jetson", "linux"]}
    assert chosen(selected, strict=True, lifecycle=sections) == {"run": "l"}


def test_recipe_without_manifests_is_taken() -> None:
    with pytest.raises(RecipeError, match="has no Manifests: AWS's nucleus wants at least one"):
        lifecycle_for(recipe(Lifecycle={"run": "x"}, Manifests=[]), LINUX)


def test_unknown_key_keeps_somebody_else_s_recipe_from_running(caplog: pytest.LogCaptureFixture) -> None:
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "a",
        "ComponentVersion": "1.0.0",
        "Scope": "PUBLIC",
        "Manifests": [{"Lifecycle": {"run": {"Script": "x", "Retries": 3}}}],
    }
    found = parse_recipe(json.dumps(document).encode(), "test", lenient=True)
    assert lifecycle_for(found, LINUX)[0].steps()["run"].script == "x"
    assert sorted(record.getMessage().partition(": ")[2] for record in caplog.records) == [
        "manifests/0/lifecycle/run/retries: unknown key, which is ignored",
        "scope: unknown key, which is ignored",
    ]


def test_names_of_architectures_are_python_s() -> None:
    architecture = Platform.of_this_machine().attributes["architecture"]
    assert architecture in {"amd64", "aarch64", "arm", "x86"}


def test_yaml_and_json_read_differently() -> None:
    document = {"RecipeFormatVersion": "2020-01-25", "ComponentName": "a", "ComponentVersion": "1.0.0"}
    assert parse_recipe(json.dumps(document).encode(), "j") == parse_recipe(yaml.safe_dump(document).encode(), "y")
