"""What a deployment would break is said when it is planned: ports, roles, lists, shadow values, refusals of AWS."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from vedette.application import ApplicationManifest, Entry, ParameterInput
from vedette.application.shadow import shadow_name
from vedette.cli.failure import Failure
from vedette.cli.main import app
from vedette.cloud import Cloud, InvalidRequestError
from vedette.cloud.planning import Application, make_plan
from vedette.cloud.roles import trusts
from vedette.cloud_stand_in.errors import ServiceError

from .conftest import Aws, order
from .test_deploying import deploy

Make = Callable[..., Application]
ACCOUNT = "arn:aws:iam::123456789012"
DEVICES, ROLE = f"{ACCOUNT}:role/VedetteTokenExchangeRole", f"{ACCOUNT}:role/vedette-app-counter"


def trust(who: Any) -> str:
    statement = {"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Simulating(Cloud):
    """A caller whose IAM simulates policies, which moto does not."""

    def __init__(self, healthy: Cloud, decision: str) -> None:
        super().__init__(wait=lambda _: None)
        self._healthy, self._decision = healthy, decision
        self.asked: list[Any] = []

    def _client(self, service: str) -> Any:
        return self if service == "iam" else self._healthy._client(service)

    def get_role(self, **arguments: Any) -> Any:
        return self._healthy._client("iam").get_role(**arguments)

    def simulate_principal_policy(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        return {"EvaluationResults": [{"EvalDecision": self._decision}]}


@pytest.mark.parametrize(
    ("principal", "decision", "said"),
    [
        ({"Service": "panorama.amazonaws.com"}, "allowed", "trusts panorama.amazonaws.com, which is no more"),
        ({"AWS": f"{ACCOUNT}:role/Another"}, "allowed", f"does not trust the devices' role {DEVICES}"),
        (None, "allowed", "does not exist"),
        ({"AWS": DEVICES}, "implicitDeny", f"may not take {ROLE}"),
        ({"AWS": DEVICES}, "allowed", ""),
    ],
)
def test_a_role_that_devices_cannot_give_is_deployed(
    aws: Aws, suite: str, make_application: Make, principal: Any, decision: str, said: str
) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="VedetteTokenExchangeRole", AssumeRolePolicyDocument=trust({"Service": "x.amazonaws.com"}))
    aws.client("iot").create_role_alias(roleAlias="VedetteTokenExchangeRoleAlias", roleArn=DEVICES)
    if principal is not None:
        iam.create_role(RoleName="vedette-app-counter", AssumeRolePolicyDocument=trust(principal))
    cloud = Simulating(aws.cloud(), decision)
    wanted = order(make_application("counter", role=ROLE), to=[aws.group("shop")])
    if not said:
        assert make_plan(cloud, wanted).notes == ()
        assert cloud.asked[0]["PolicySourceArn"] == DEVICES
        return
    with pytest.raises(InvalidRequestError) as caught:
        make_plan(cloud, wanted)
    assert said in str(caught.value)
    hint = caught.value.hint or ""
    assert DEVICES in hint or ROLE in hint or "application-role" in hint


def test_a_role_that_cannot_be_looked_up_stops_everything_or_goes_unsaid(
    aws: Aws, suite: str, make_application: Make
) -> None:
    wanted = order(make_application("counter", role=ROLE), to=[aws.group("shop")])
    (note,) = make_plan(aws.cloud(), wanted).notes
    assert "was not looked up: there is no role alias" in note


@pytest.mark.parametrize(
    ("principal", "effect", "trusted"),
    [
        ({"AWS": DEVICES}, "Allow", True),
        ({"AWS": ["arn:aws:iam::1:role/x", "123456789012"]}, "Allow", True),
        ({"AWS": f"{ACCOUNT}:root"}, "Allow", True),
        ("*", "Allow", True),
        ({"AWS": DEVICES}, "Deny", False),
        ({"Service": "panorama.amazonaws.com"}, "Allow", False),
    ],
)
def test_a_trust_policy_is_misread(principal: Any, effect: str, trusted: bool) -> None:
    statement = {"Effect": effect, "Principal": principal, "Action": ["sts:TagSession", "sts:AssumeRole"]}
    assert trusts({"Statement": statement}, DEVICES) is trusted


def port(number: int, address: str = "") -> list[dict[str, Any]]:
    return [{"containerPort": 80, "hostPort": number, "address": address}]


def test_two_applications_of_a_device_open_one_port(aws: Aws, suite: str, make_application: Make) -> None:
    group, thing = aws.group("shop"), aws.thing("one")
    aws.client("iot").add_thing_to_thing_group(thingGroupName="shop", thingName="one")
    deploy(aws, order(make_application("first", ports=port(8080)), to=[group]))
    second = make_application("second", ports=port(8080, "127.0.0.1"))
    with pytest.raises(
        InvalidRequestError, match=r"port 8080 of thing-group/shop is opened by `first` and by `second`"
    ):
        deploy(aws, order(second, to=[group]))
    # A thing gets its groups' deployments as well.
    with pytest.raises(InvalidRequestError, match=r"by `first` \(deployed to thing-group/shop\) and by `second`"):
        deploy(aws, order(second, to=[thing]))
    deploy(aws, order(make_application("second", ports=port(8081)), to=[thing]))
    # Whoever takes the place of the first may have its port; one address each is no clash.
    deploy(aws, order(make_application("third", ports=port(8080, "127.0.0.1")), to=[group], remove=("first",)))
    deploy(aws, order(make_application("fourth", ports=port(8080, "10.0.0.1")), to=[group]))


def test_what_a_thing_has_of_several_deployments_goes_unsaid(aws: Aws, suite: str, make_application: Make) -> None:
    group, thing = aws.group("shop"), aws.thing("one")
    aws.client("iot").add_thing_to_thing_group(thingGroupName="shop", thingName="one")
    deploy(aws, order(make_application("first", "lobby"), to=[group]))
    notes = make_plan(aws.cloud(), order(make_application("second", "gate"), to=[thing])).notes
    assert [note.partition(" keeps")[0].partition(" synchr")[0] for note in notes] == [
        "thing/one has applications of thing-group/shop as well: aws.greengrass.SecretManager",
        "thing/one has applications of thing-group/shop as well: aws.greengrass.ShadowManager",
    ]


def test_a_value_that_a_shadow_hides_goes_unsaid(aws: Aws, suite: str, make_application: Make) -> None:
    thing = aws.thing("one")
    made = make_application("counter", parameters={"threshold": 40})
    manifest = ApplicationManifest(
        name="counter",
        code_package="CODE",
        version="1.0",
        entry=Entry(name="/panorama/app.py"),
        inputs=[
            ParameterInput(port="t", node="threshold", type="int32", default=30),
            ParameterInput(port="l", node="label", type="string", default="people"),
        ],
    )
    record = {**made.record, "manifest": base64.b64encode(manifest.encode()).decode()}
    wanted = order(replace(made, record=record), to=[thing])
    assert make_plan(aws.cloud(), wanted).notes == ()
    state = {"state": {"desired": {"parameters": {"threshold": 35, "label": "people"}}}}
    aws.client("iot-data").update_thing_shadow(
        thingName="one", shadowName=shadow_name("counter"), payload=json.dumps(state)
    )
    (note,) = make_plan(aws.cloud(), wanted).notes
    assert "threshold = 35 (here 40)" in note
    assert "label" not in note
    assert '{"state":{"desired":{"parameters":{"threshold":null}}}}' in note


class Refusal(ServiceError):
    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.facts = status, code, facts


@pytest.mark.parametrize(
    ("refusal", "code", "said", "hinted"),
    [
        (
            Refusal(403, "AccessDeniedException", "User: arn:aws:iam::1:user/kim is not authorized to perform: "
                    "greengrass:ListComponents on resource: arn:aws:greengrass:::*"),
            3, "may not greengrass:ListComponents on arn:aws:greengrass:::*", "VedetteViewer",
        ),
        (
            Refusal(400, "ValidationException", "bad request", reason="FIELD_VALIDATION_FAILED",
                    fields=[{"name": "scope", "message": "must be PRIVATE"}]),
            1, "bad request (scope: must be PRIVATE)", "",
        ),
        (
            Refusal(402, "ServiceQuotaExceededException", "too many", quotaCode="L-1234", serviceCode="greengrass",
                    resourceId="x", resourceType="component"),
            1, "too many (component x; quota L-1234)", "Service Quotas",
        ),
        (
            Refusal(409, "ConflictException", "is being changed", resourceId="one", resourceType="deployment"),
            1, "ConflictException, is being changed (deployment one)", "",
        ),
        (
            Refusal(404, "ResourceNotFoundException", "not found", resourceId="x", resourceType="component"),
            1, "not found (component x)", "",
        ),
        (Refusal(429, "ThrottlingException", "slow down"), 1, "slow down; 7 attempts", "run the same command again"),
        (Refusal(500, "InternalServerException", "oh"), 1, "oh; 7 attempts", "run the same command again"),
        (Refusal(403, "ExpiredTokenException", "over"), 3, "does not take the credentials", "aws sso login"),
    ],
)  # fmt: skip
def test_a_refusal_of_aws_is_not_explained(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, refusal: Refusal, code: int, said: str, hinted: str
) -> None:
    aws.stand_in.refuse = lambda operation: refusal if operation == "ListComponents" else None
    monkeypatch.setattr("vedette.cloud.Cloud", lambda **_: aws.cloud())
    failure = CliRunner().invoke(app, ["package", "list"]).exception
    assert isinstance(failure, Failure)
    assert failure.exit_code == code
    assert said in failure.message
    assert hinted in (failure.hint or "")
    told = CliRunner().invoke(app, ["package", "list", "--json"])
    assert told.exit_code == code
    assert json.loads(told.stdout)["error"] == failure.message
