"""What a second deployment restarts, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from vedette.nucleus.plan import Change, ComponentPlan, PlannedStep, plan_steps
from vedette.nucleus.recipe import Lifecycle, Scope, Variables


def plan(run: str = "run", install: str = "install", version: str = "1.0.0", content: str = "c") -> ComponentPlan:
    steps = {name: PlannedStep(name, script, None) for name, script in {"run": run, "install": install}.items()}
    return ComponentPlan(name="a", version=version, steps=steps, work_folder=Path("/w"), content=content)


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (plan(), Change.NONE),
        (plan(run="other"), Change.RESTART),
        (plan(install="other"), Change.REINSTALL),
        (plan(version="1.0.1"), Change.REINSTALL),
        (plan(content="rebuilt"), Change.REINSTALL),
        (replace(plan(), hard_dependencies=("b",)), Change.NONE),
    ],
)
def test_the_wrong_thing_restarts(new: ComponentPlan, change: Change) -> None:
    assert new.change_from(plan()) is change


def test_steps_lose_time_limits_or_environment() -> None:
    lifecycle = Lifecycle.model_validate(
        {
            "Setenv": {"A": "{work:path}", "B": "1"},
            "install": "i",
            "run": {"Script": "r {iot:thingName}", "Setenv": {"B": "2"}, "Skipif": "exists {work:path}/x"},
            "shutdown": {"Script": "s", "Timeout": "3"},
        }
    )
    own = Scope(Path("/a"), Path("/d"), Path("/w"))
    steps = plan_steps(lifecycle, Variables(own=own, root=Path("/r"), thing_name="t"))
    assert {name: step.timeout_s for name, step in steps.items()} == {"install": 120.0, "run": None, "shutdown": 3.0}
    assert steps["run"].script == "r t"
    assert steps["run"].skip_if == "exists /w/x"
    assert (steps["run"].environment, steps["install"].environment) == ({"A": "/w", "B": "2"}, {"A": "/w", "B": "1"})
