"""The templates under infra/ that give permissions: valid, each usable alone, nothing allowed that is not meant."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from vedette.cloud.operations import OPERATIONS, OPTIONAL, iam_action
from vedette.cloud.permissions import DEPLOYER, VIEWER, granted_by

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
GUIDE = (INFRA / "README.md").read_text()
WATCHING = {"alarms-application", "alarms-device", "dashboard"}
TEMPLATES = [path for path in sorted(INFRA.glob("*.yaml")) if path.stem not in WATCHING]
PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::StackName": "vedette",
}
NOTHING = object()
# What a parameter without a default is given, by what its description or name asks for.
GIVEN = {
    "ArtifactBucket": "my-artifacts",
    "DeviceRoleArn": "arn:aws:iam::111122223333:role/VedetteTokenExchangeRole",
    "ApplicationName": "counter",
    "IotDataEndpoint": "abc-ats.iot.eu-west-1.amazonaws.com",
    "TrustedPrincipalArn": "arn:aws:iam::444455556666:role/operators",
    "PolicyArns": "arn:aws:iam::111122223333:policy/VedetteViewer",
    "IotCredentialsEndpoint": "abc.credentials.iot.eu-west-1.amazonaws.com",
}
# Parameters that switch on what is left out by default.
EVERYTHING = {
    "ApplicationRoleArns": "arn:aws:iam::111122223333:role/vedette-app-counter",
    "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/0a1b",
    "ExternalId": "word",
    "RequireMfa": "yes",
    "DiagnosticsBucket": "bundles",
    "RecordingsBucket": "clips",
    "ManagedPolicyArns": "arn:aws:iam::111122223333:policy/p",
    "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/b",
    "GitHubRepository": "me/fleet",
    "TrustedRoleArn": "arn:aws:iam::111122223333:role/build",
    "TargetGroup": "shops",
    "ForOperators": "yes",
    "ForContainers": "yes",
    "ForVideo": "yes",
    "KinesisVideoStreamPrefix": "shop-",
    "KinesisVideoCreate": "yes",
}


# Where parliament is mistaken.
NOT_SO: list[Any] = [
    "Type mismatch: s3:TlsVersion requires a value of type Numeric but given ['1.2']",
    # AWS's own components of Greengrass are those of the account "aws".
    "Account expected to be of form like 123456789012",
    # A job for a thing group takes the group's ARN alone.
    [{"action": "iot:CreateJob", "required_format": "arn:*:iot:*:*:thing/*"}],
]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as {Fn::name: value}."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)} if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(), _Loader)
    assert isinstance(loaded, dict)
    return loaded


class Rendered:
    """A template with its parameters put in: as much of CloudFormation as these templates use."""

    def __init__(self, path: Path, given: dict[str, str]) -> None:
        self.template = load(path)
        self.values = dict(PSEUDO)
        for name, parameter in self.template.get("Parameters", {}).items():
            value = given.get(name, parameter.get("Default", GIVEN.get(name)))
            assert value is not None, f"{path.stem}: {name} has no default and no example"
            self.values[name] = value
        self.resources = {
            name: self.render(resource.get("Properties", {}))
            for name, resource in self.template["Resources"].items()
            # A loop over log groups gives no permissions.
            if isinstance(resource, dict) and ("Condition" not in resource or self.condition(resource["Condition"]))
        }

    def condition(self, name: str) -> bool:
        return bool(self.render(self.template["Conditions"][name]))

    def render(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in (self.render(item) for item in value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            if function == "Ref":
                return self._ref(argument)
            if function == "Condition":
                return self.condition(argument)
            if function.startswith("Fn::"):
                return self._call(function.removeprefix("Fn::"), argument)
        rendered = {key: self.render(item) for key, item in value.items()}
        return {key: item for key, item in rendered.items() if item is not NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        value = self.values.get(name, f"ref-{name}")
        kind = self.template.get("Parameters", {}).get(name, {}).get("Type", "")
        return str(value).split(",") if kind == "CommaDelimitedList" else value

    def _call(self, function: str, argument: Any) -> Any:
        if function == "If":
            return self.render(argument[1] if self.condition(argument[0]) else argument[2])
        if function == "Equals":
            return self.render(argument[0]) == self.render(argument[1])
        if function in {"Not", "And", "Or"}:
            found = [self.render(item) for item in argument]
            return {"Not": not found[0], "And": all(found), "Or": any(found)}[function]
        if function == "Join":
            return argument[0].join(self.render(argument[1]))
        if function == "Sub":
            text = re.sub(r"\$\{([^!}]+)\}", lambda m: str(self._in_text(m[1])), argument)
            return text.replace("${!", "${")
        if function == "GetAtt":
            return f"arn:aws:s3:::att-{argument}" if "Bucket" in argument else f"att-{argument}"
        return f"{function}"

    def _in_text(self, name: str) -> Any:
        return f"arn:aws:s3:::{name}" if "." in name else self._ref(name)


class Policy(NamedTuple):
    """One policy document of a template."""

    template: str
    resource: str
    kind: str
    document: dict[str, Any]
    reasons: dict[str, str]


def policies(given: dict[str, str]) -> Iterator[Policy]:
    for path in TEMPLATES:
        rendered = Rendered(path, given)
        for name, properties in rendered.resources.items():
            whole = rendered.template["Resources"][name]
            reasons = whole.get("Metadata", {}).get("WildcardReasons", {})
            for document in [properties, *properties.get("Policies", [])]:
                if "PolicyDocument" in document:
                    yield Policy(path.stem, name, whole["Type"], document["PolicyDocument"], reasons)


ALL = {f"{p.template} {p.resource} {number}": p for number, p in enumerate(policies(EVERYTHING))}
ALLOWING = {key: p for key, p in ALL.items() if p.kind not in {"AWS::IoT::Policy", "AWS::EC2::VPCEndpoint"}}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_cloudformation_refuses_a_template(path: Path) -> None:
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    matches = api.lint_file(path)
    assert not matches, "\n".join(str(match) for match in matches)


@pytest.mark.parametrize("policy", ALLOWING.values(), ids=ALLOWING)
def test_a_policy_has_an_action_or_resource_that_does_not_exist(policy: Policy) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        parliament = pytest.importorskip("parliament", reason="parliament is not installed")
    analyzed = parliament.analyze_policy_string(json.dumps(policy.document))
    found = [
        (finding.issue, finding.detail)
        for finding in analyzed.findings
        if finding.issue != "RESOURCE_STAR"  # the next test is stricter
        and finding.detail not in NOT_SO
    ]
    assert not found


@pytest.mark.parametrize("policy", ALL.values(), ids=ALL)
def test_a_wildcard_has_no_reason(policy: Policy) -> None:
    for statement in policy.document["Statement"]:
        sid = statement["Sid"]
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{sid}: {action}"
            assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action)
        if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"]):
            assert len(policy.reasons.get(sid, "")) > 20, f"{sid} allows on every resource and does not say why"


def test_roles_trust_whoever_asks() -> None:
    roles = 0
    for path in TEMPLATES:
        for name, properties in Rendered(path, EVERYTHING).resources.items():
            for statement in properties.get("AssumeRolePolicyDocument", {}).get("Statement", []):
                roles += 1
                if statement["Principal"] == {"Service": "lambda.amazonaws.com"}:
                    continue  # the role of a function is passed within its own account alone
                assert statement["Condition"], f"{path.stem} {name} trusts without a condition"
                assert "*" not in json.dumps(statement["Principal"]), name
                conditions = json.dumps(statement["Condition"])
                if "Service" in statement["Principal"]:
                    assert "aws:SourceAccount" in conditions, f"{path.stem} {name}: confused deputy"
    assert roles >= 5


def test_another_application_role_is_assumed() -> None:
    """By default a device may assume none; given one, that one alone."""
    rendered = Rendered(INFRA / "device-role.yaml", {})
    actions = [s["Sid"] for s in rendered.resources["Role"]["Policies"][0]["PolicyDocument"]["Statement"]]
    assert "ApplicationRoles" not in actions
    rendered = Rendered(INFRA / "device-role.yaml", EVERYTHING)
    (statement,) = (
        s
        for s in rendered.resources["Role"]["Policies"][0]["PolicyDocument"]["Statement"]
        if s["Sid"] == "ApplicationRoles"
    )
    assert statement["Resource"] == ["arn:aws:iam::111122223333:role/vedette-app-counter"]


def test_an_operation_is_allowed_to_nobody() -> None:
    """All that vedette calls on AWS is in the administrator's, deployer's or viewer's policy."""
    allowed = {
        action
        for policy in ALL.values()
        if policy.template == "operators"
        for statement in policy.document["Statement"]
        for action in listed(statement["Action"])
    }
    called = {iam_action(service, operation) for service, names in OPERATIONS.items() for operation in names}
    called.remove("sts:GetSessionToken")  # needs no permission, and is called for developers alone
    assert called <= allowed, "add them to infra/operators.yaml"


def test_a_refusal_names_a_policy_that_does_not_allow_it() -> None:
    allowed = {
        policy.resource: {a for s in policy.document["Statement"] for a in listed(s["Action"])}
        for policy in ALL.values()
        if policy.template == "operators"
    }
    called = {iam_action(service, operation) for service, names in OPERATIONS.items() for operation in names}
    assert called >= VIEWER | DEPLOYER
    for action in called - {"sts:GetSessionToken"}:
        assert action in allowed[granted_by(action).removeprefix("Vedette")], action


def test_a_viewer_or_deployer_may_read_a_password() -> None:
    for policy in ALL.values():
        if policy.template == "operators" and policy.resource != "Administrator":
            assert "secretsmanager:GetSecretValue" not in json.dumps(policy.document)


def endpoints(site: Rendered) -> set[str]:
    names = [properties["ServiceName"] for properties in site.resources.values() if "ServiceName" in properties]
    return {name.rpartition("eu-west-1.")[2] for name in names}


def test_a_service_that_is_called_has_no_endpoint() -> None:
    rendered = Rendered(INFRA / "private-site.yaml", EVERYTHING)
    services = endpoints(rendered)
    names = {"greengrassv2": "greengrass", "iot": "iot.api", "iot-data": "iot.data", "cloudwatch": "monitoring"}
    assert {names.get(service, service) for service in OPERATIONS if service not in OPTIONAL} <= services
    assert "kinesisvideo" in services
    device = {"logs", "monitoring", "secretsmanager", "sts", "s3", "iot.data", "iot.credentials"}
    rendered = Rendered(INFRA / "private-site.yaml", {})
    assert {
        p["ServiceName"].rpartition("eu-west-1.")[2] for p in rendered.resources.values() if "ServiceName" in p
    } == device
    zones = [p["Name"] for name, p in rendered.resources.items() if name.endswith("Zone")]
    assert zones == [GIVEN["IotDataEndpoint"], GIVEN["IotCredentialsEndpoint"]], "IoT has no automatic names"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_parameter_or_output_is_not_explained(path: Path) -> None:
    template = load(path)
    for kind in ("Parameters", "Outputs"):
        assert all(item.get("Description") for item in template.get(kind, {}).values())
    grouped = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in grouped for name in group["Parameters"]) == sorted(template["Parameters"])
    assert f"`{path.name}`" in GUIDE
    assert "ImportValue" not in path.read_text(), "each is usable alone"
