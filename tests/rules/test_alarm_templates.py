"""The templates under infra/ that watch a fleet are about metrics that devices really send."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vedette.metrics import METRICS

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TEMPLATES = sorted([*INFRA.glob("alarms-*.yaml"), INFRA / "dashboard.yaml"])
KNOWN = {(metric.namespace, metric.name): metric.dimensions for metric in METRICS}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as {tag: value}."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: None}


_Loader.add_multi_constructor("!", _short_form)


def template(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(), _Loader)
    assert isinstance(loaded, dict)
    return loaded


def alarms() -> list[Any]:
    return [
        pytest.param(resource["Properties"], id=f"{path.stem} {name}")
        for path in TEMPLATES
        for name, resource in template(path)["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]


@pytest.mark.parametrize("alarm", alarms())
def test_an_alarm_watches_what_nobody_sends(alarm: dict[str, Any]) -> None:
    dimensions = tuple(dimension["Name"] for dimension in alarm["Dimensions"])
    assert KNOWN[alarm["Namespace"], alarm["MetricName"]] == dimensions
    assert alarm["Period"] == 60
    assert alarm["AlarmActions"]


def test_the_alarms_of_an_appliance_have_another_rule_here() -> None:
    found = {each.id: each.values[0] for each in alarms()}
    device, application = found["alarms-device DeviceSilent"], found["alarms-application ApplicationErrors"]
    rule = ("Statistic", "Threshold", "ComparisonOperator", "TreatMissingData")
    assert [device[key] for key in rule] == ["Sum", 1, "LessThanThreshold", "breaching"]
    assert [application[key] for key in rule] == ["Sum", 1, "GreaterThanOrEqualToThreshold", "breaching"]


def test_the_dashboard_draws_what_nobody_sends() -> None:
    body = template(INFRA / "dashboard.yaml")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    document = json.loads(body)
    expressions = [row[0]["expression"] for widget in document["widgets"] for row in widget["properties"]["metrics"]]
    assert len(expressions) == 9
    for expression in expressions:
        found = re.fullmatch(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"(\w+)\".*', '\w+', \d+\)", expression)
        assert found, expression
        assert KNOWN[found[1], found[3]] == tuple(found[2].split(","))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_cloudformation_refuses_a_template(path: Path) -> None:
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    matches = api.lint_file(path)
    assert not matches, "\n".join(str(match) for match in matches)
