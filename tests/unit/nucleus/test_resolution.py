"""Choice of versions and start order; errors that say who asked for what."""

from typing import Any

import pytest

from vedette.nucleus.errors import ResolutionError
from vedette.nucleus.recipe import Recipe
from vedette.nucleus.resolution import resolve


class Source:
    """Recipes in memory: ``"a@1.0.0": {"b": "^1.0.0", "c": ("*", "SOFT")}``."""

    def __init__(self, recipes: dict[str, dict[str, Any]]) -> None:
        self._recipes = [self._recipe(key, needs) for key, needs in recipes.items()]

    @staticmethod
    def _recipe(key: str, needs: dict[str, Any]) -> Recipe:
        name, _, version = key.partition("@")
        dependencies = {}
        for other, need in needs.items():
            requirement, kind = need if isinstance(need, tuple) else (need, "HARD")
            dependencies[other] = {"VersionRequirement": requirement, "DependencyType": kind}
        return Recipe.model_validate(
            {
                "RecipeFormatVersion": "2020-01-25",
                "ComponentName": name,
                "ComponentVersion": version,
                "ComponentDependencies": dependencies,
            }
        )

    def versions(self, name: str) -> list[Recipe]:
        found = [recipe for recipe in self._recipes if recipe.component_name == name]
        return sorted(found, key=lambda recipe: recipe.version, reverse=True)


def chosen(roots: dict[str, str], recipes: dict[str, dict[str, Any]]) -> dict[str, str]:
    resolution = resolve(roots, Source(recipes))
    return {name: recipe.component_version for name, recipe in resolution.recipes.items()}


def test_the_newest_is_taken_where_an_older_one_is_asked_for() -> None:
    recipes = {"a@1.0.0": {"c": "*"}, "b@1.0.0": {"c": "~1.1"}, "c@1.1.5": {}, "c@1.2.0": {}, "c@1.1.0": {}}
    assert chosen({"a": "*", "b": "*"}, recipes) == {"a": "1.0.0", "b": "1.0.0", "c": "1.1.5"}


def test_a_dependency_of_a_version_that_was_given_up_stays() -> None:
    recipes: dict[str, dict[str, Any]] = {
        "a@1.0.0": {"b": "*"},
        "b@2.0.0": {"x": "*", "c": "^1.0.0"},
        "b@1.0.0": {},
        "c@1.0.0": {"b": "^1.0.0"},
        "x@1.0.0": {},
    }
    # b 2.0.0 brings c in, which rules b 2.0.0 out: without c nothing rules it out, so this has no stable choice.
    with pytest.raises(ResolutionError, match="do not settle: pin their versions"):
        chosen({"a": "*"}, recipes)
    assert chosen({"a": "*", "b": "1.0.0"}, recipes) == {"a": "1.0.0", "b": "1.0.0"}


def test_dependencies_start_after_their_dependents() -> None:
    recipes: dict[str, dict[str, Any]] = {
        "a@1.0.0": {"b": "*", "c": ("*", "SOFT")},
        "b@1.0.0": {"d": "*"},
        "c@1.0.0": {},
        "d@1.0.0": {},
    }
    resolution = resolve({"a": "*"}, Source(recipes))
    order = list(resolution.order)
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order.index("d") < order.index("b") < order.index("a")
    assert order.index("c") < order.index("a")
    assert resolution.hard_dependencies("a") == ["b"]


def test_components_that_the_nucleus_stands_in_for_are_searched() -> None:
    needs = {"aws.greengrass.Nucleus": ">=2.0.0", "aws.greengrass.SecretManager": "^2.1.0"}
    assert chosen({"a": "*"}, {"a@1.0.0": needs}) == {"a": "1.0.0"}


def test_an_error_does_not_say_who_asked_for_what() -> None:
    recipes = {"a@1.0.0": {"c": "^2.0.0"}, "b@1.0.0": {"c": "^1.0.0", "lost": "^1.0.0"}, "c@1.0.0": {}, "c@2.0.0": {}}
    with pytest.raises(ResolutionError) as caught:
        chosen({"a": "*", "b": "*"}, recipes)
    assert sorted(caught.value.findings) == [
        "lost is not in the component store (b 1.0.0 asks for ^1.0.0): build it or add its recipe",
        "no version of c fits: a 1.0.0 asks for ^2.0.0, b 1.0.0 asks for ^1.0.0; the component store has 2.0.0, 1.0.0",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aws.greengrass.StreamManager", "no stream manager here"),
        ("aws.greengrass.DockerApplicationManager", "`docker pull`"),
        ("aws.greengrass.LambdaLauncher", "make the function a component"),
        ("aws.greengrass.telemetry.NucleusEmitter", "one of AWS's own components"),
        ("aws.greengrass.labs.Other", "build it or add its recipe"),
    ],
)
def test_missing_component_of_aws_leaves_the_user_helpless(name: str, words: str) -> None:
    with pytest.raises(ResolutionError, match=words) as caught:
        chosen({"a": "*"}, {"a@1.0.0": {name: "^2.0.0"}})
    assert str(caught.value).startswith(f"{name} is not in the component store (a 1.0.0 asks for ^2.0.0)")


def test_a_circle_has_no_end() -> None:
    with pytest.raises(ResolutionError, match="in a circle: a -> b -> a"):
        chosen({"a": "*"}, {"a@1.0.0": {"b": "*"}, "b@1.0.0": {"a": "*"}})
