"""Deploying against a service that checks: applications of one target are independent, nothing changes twice."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vedette.cli.deploy import DeployOptions
from vedette.cli.deploy import deploy as deploy_command
from vedette.cli.terminal import Terminal
from vedette.cloud import AlreadyThereError, InvalidRequestError, NotFoundError
from vedette.cloud.applications import from_record
from vedette.cloud.bucket import Bucket, Progress, default_bucket
from vedette.cloud.carrying_out import CLAIM_S, Made, carry_out
from vedette.cloud.document import instances, merged
from vedette.cloud.following import Outcome, follow
from vedette.cloud.planning import Application, Order, Plan, make_plan, plan_target, read_current
from vedette.cloud.records import read_records, record_to_copy
from vedette.cloud.targets import Target, find_targets

from .conftest import Aws, order, publish_suite

RECORDER = Path(__file__).parents[2] / "fixtures" / "applications" / "recorder"

Make = Callable[..., Application]


class Silent:
    @property
    def uploaded(self) -> Progress:
        return lambda _done, _total: None

    def published(self, item: Any) -> None: ...

    def wrote_secret(self, name: str) -> None: ...

    def deployed(self, made: Made) -> None: ...


def carry(aws: Aws, plan: Plan, **options: Any) -> list[Made]:
    def again(target: Target, current: Any, arns: Any) -> Any:
        return plan_target(plan.order, target, current, arns, plan.aws)

    cloud = aws.cloud()
    return carry_out(cloud, Bucket(cloud, default_bucket(cloud)), plan, again, Silent(), **options)


def deploy(aws: Aws, wanted: Order) -> list[Made]:
    return carry(aws, make_plan(aws.cloud(), wanted, bucket(aws)))


def components(aws: Aws, target: Target) -> Any:
    current = read_current(aws.cloud(), target)
    return current.components if current is not None else {}


def test_a_second_identical_deployment_changes_something(aws: Aws, suite: str, make_application: Make) -> None:
    group, app = aws.group("shop", 3), make_application("one", "lobby", threshold=5)
    assert [made.revision for made in deploy(aws, order(app, to=[group]))] == [1]
    plan = make_plan(aws.cloud(), order(app, to=[group]))
    assert not plan.changed
    assert carry(aws, plan) == []
    assert len(aws.stand_in.fleet.deployments) == 1


def test_passwords_get_into_documents_or_plans(aws: Aws, suite: str, make_application: Make) -> None:
    group, app = aws.group("shop"), make_application("one", "lobby")
    plan = make_plan(aws.cloud(), order(app, to=[group]))
    assert "password-of" not in repr(plan) + json.dumps(plan.document())
    carry(aws, plan)
    secret = aws.client("secretsmanager").get_secret_value(SecretId="vedette/camera/lobby")
    assert json.loads(secret["SecretString"])["Password"] == "password-of-lobby"
    everything = repr(aws.stand_in.fleet.deployments) + repr(read_records(bucket(aws)))
    assert "password-of" not in everything
    assert secret["ARN"] in everything


def test_the_command_leaves_the_role_out(aws: Aws, suite: str) -> None:
    group, role = aws.group("shop"), "arn:aws:iam::123456789012:role/counter"
    options = DeployOptions(
        directories=[RECORDER],
        targets=["thing-group/shop"],
        cameras=["camera_node=rtsp://10.0.0.21/stream1"],
        role=role,
        monitor=False,
        yes=True,
        wait=False,
    )
    assert deploy_command(options, {}, Terminal(io.StringIO(), {"NO_COLOR": "1"})) == 0
    update = components(aws, group)["vedette.app.recorder"]["configurationUpdate"]
    assert json.loads(update["merge"])["role"] == role
    assert "/role" in update["reset"]


def bucket(aws: Aws) -> Bucket:
    return Bucket(aws.cloud(), default_bucket(aws.cloud()))


def test_applications_of_one_target_disturb_one_another(aws: Aws, suite: str, make_application: Make) -> None:
    group = aws.group("shop", 2)
    deploy(aws, order(make_application("one", "lobby", "both"), to=[group]))
    first = components(aws, group)["vedette.app.one"]
    deploy(aws, order(make_application("two", "gate", "both"), to=[group]))
    both = components(aws, group)
    assert both["vedette.app.one"] == first
    arns = [entry["arn"] for entry in merged(both["aws.greengrass.SecretManager"])["cloudSecrets"]]
    assert [arn.rpartition("/")[2].rpartition("-")[0] for arn in arns] == ["both", "lobby", "gate"]
    deploy(aws, order(to=[group], remove=("one",)))
    left = components(aws, group)
    assert instances(left) == ["two"]
    arns = [entry["arn"] for entry in merged(left["aws.greengrass.SecretManager"])["cloudSecrets"]]
    assert [arn.rpartition("/")[2].rpartition("-")[0] for arn in arns] == ["both", "gate"]
    aws.stand_in.fleet.work()
    assert "vedette.app.one" not in aws.stand_in.fleet.devices["shop-0000"].components


def test_replaced_and_copied_instances_are_not_what_was_asked_for(aws: Aws, suite: str, make_application: Make) -> None:
    group, other = aws.group("shop"), aws.group("depot")
    deploy(aws, order(make_application("old", "lobby"), to=[group]))
    deploy(aws, order(make_application("new", "lobby"), to=[group], remove=("old",)))
    assert instances(components(aws, group)) == ["new"]
    # A removed one can still be copied: its record stays.
    record = record_to_copy(bucket(aws), "old")
    assert record["state"] == "removed"
    deploy(aws, order(from_record(aws.cloud(), record), to=[other]))
    assert instances(components(aws, other)) == ["old"]
    with pytest.raises(NotFoundError, match="nothing is known of an application `never`"):
        record_to_copy(bucket(aws), "never")
    # Removing it again is no mistake; removing what never was is one.
    assert not make_plan(aws.cloud(), order(to=[group], remove=("old",)), bucket(aws)).changed
    with pytest.raises(InvalidRequestError, match="thing-group/shop has no application `odl`"):
        make_plan(aws.cloud(), order(to=[group], remove=("odl",)), bucket(aws))


def test_a_change_between_plan_and_deployment_is_lost(aws: Aws, suite: str, make_application: Make) -> None:
    group = aws.group("shop")
    mine = make_plan(aws.cloud(), order(make_application("mine"), to=[group]))
    deploy(aws, order(make_application("theirs"), to=[group]))
    with pytest.raises(AlreadyThereError, match=r"revision 0 was read, now it has 1"):
        carry(aws, mine)
    assert instances(components(aws, group)) == ["theirs"]
    deploy(aws, order(make_application("mine"), to=[group]))
    assert instances(components(aws, group)) == ["mine", "theirs"]


def test_two_deploy_at_once_and_one_is_lost(aws: Aws, suite: str, make_application: Make) -> None:
    group, where = aws.group("shop"), bucket(aws)
    plan = make_plan(aws.cloud(), order(make_application("mine"), to=[group]))
    where.make()
    claim = {"state": "claimed", "token": "another", "base": "", "by": "arn:aws:iam::1:user/kim", "at": 1000.0}
    where.write("targets/thinggroup/shop.json", claim)
    with pytest.raises(AlreadyThereError, match=r"user/kim began to deploy to thing-group/shop 7 s ago"):
        carry(aws, plan, now=lambda: 1007.0)
    assert components(aws, group) == {}
    # A claim that was left behind does not stand in the way for ever.
    assert len(carry(aws, plan, now=lambda: 1001.0 + CLAIM_S)) == 1


def test_somebody_in_the_console_between_look_and_creation_is_overwritten(
    aws: Aws, suite: str, make_application: Make
) -> None:
    group = aws.group("shop")
    plan = make_plan(aws.cloud(), order(make_application("mine"), to=[group]))
    stranger = {"aws.greengrass.Cli": {"componentVersion": "2.18.2"}}
    done: list[bool] = []

    def slip_in(operation: str) -> None:
        if operation == "CreateDeployment" and not done:
            done.append(True)
            aws.stand_in.fleet.create_deployment({"targetArn": group.arn, "components": stranger})

    aws.stand_in.refuse = slip_in
    carry(aws, plan)
    found = components(aws, group)
    assert instances(found) == ["mine"]
    assert "aws.greengrass.Cli" in found


def test_a_new_suite_takes_the_ground_from_under_an_old_application(
    aws: Aws, suite: str, make_application: Make, tmp_path: Any
) -> None:
    group = aws.group("shop")
    deploy(aws, order(make_application("old"), make_application("new"), to=[group]))
    publish_suite(aws.cloud(), tmp_path / "next", "0.2.0")
    fresh = make_application("new", suite="0.2.0", version="1.0.2")
    with pytest.raises(InvalidRequestError, match=r"`old` on thing-group/shop needs vedette\.\w+ \^0\.1\.0"):
        make_plan(aws.cloud(), order(fresh, to=[group]))
    both = order(fresh, make_application("old", suite="0.2.0", version="1.0.2"), to=[group])
    assert make_plan(aws.cloud(), both).changed


def test_a_device_could_not_get_the_suite(aws: Aws, make_application: Make) -> None:
    with pytest.raises(NotFoundError, match=r"not published in account 123456789012, us-east-1: vedette\.AppRuntime"):
        make_plan(aws.cloud(), order(make_application("one"), to=[aws.group("shop")]))


def test_a_camera_without_a_secret_is_deployed(aws: Aws, suite: str, make_application: Make) -> None:
    app = make_application("one", "lobby")
    nothing_known = Application(app.instance, app.publishables, app.components, app.secrets)
    with pytest.raises(InvalidRequestError, match="secret `vedette/camera/lobby` is not in Secrets Manager"):
        make_plan(aws.cloud(), order(nothing_known, to=[aws.group("shop")]))


@pytest.mark.parametrize("devices", [1, 400])
def test_a_plan_calls_more_often_for_more_devices(aws: Aws, suite: str, make_application: Make, devices: int) -> None:
    group, app = aws.group("shop", devices), make_application("one")
    before = len(aws.stand_in.calls)
    make_plan(aws.cloud(), order(app, to=[group]))
    # One for the application, four for the suite, four for AWS's components, one for the target.
    assert len(aws.stand_in.calls) - before == 10


def test_a_roll_out_does_not_stop_when_devices_fail(aws: Aws, suite: str, make_application: Make) -> None:
    group = aws.group("shop", 20, fails="needs 210 MB, 96 MB free")
    aws.stand_in.fleet.add_devices([f"good-{n}" for n in range(20)], [group.arn])
    made = deploy(aws, order(make_application("one"), to=[group], abort_percent=50.0, abort_after=10, per_minute=7))
    deployment = aws.stand_in.fleet.deployment(made[0].deployment_id)
    assert deployment["iotJobConfiguration"]["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 7}
    aws.stand_in.fleet.work(12)
    ended = list(follow(aws.cloud(), made, quiet_s=60, limit_s=60, wait=lambda _: None))[-1]
    assert ended.outcome is Outcome.FAILED
    assert (ended.counts["failed"], ended.counts["canceled"]) == (12, 28)
    assert set(ended.failures.values()) == {"FAILED_NO_STATE_CHANGE: needs 210 MB, 96 MB free"}


def test_the_end_of_a_deployment_is_not_told(aws: Aws, suite: str, make_application: Make) -> None:
    thing, broken, away = aws.thing("one"), aws.thing("two", fails="disk full"), aws.group("away", 2, online=False)
    made = deploy(aws, order(make_application("app"), to=[thing, broken, away]))
    clock = iter(range(0, 10_000, 30))
    outcomes = {
        str(s.target): s.outcome
        for s in follow(aws.cloud(), made, quiet_s=60, limit_s=600, wait=lambda _: None, clock=lambda: next(clock))
        if s.outcome is not None
    }
    assert outcomes == {
        "thing/one": Outcome.SUCCEEDED,
        "thing/two": Outcome.FAILED,
        "thing-group/away": Outcome.WAITING,
    }


def test_a_target_is_guessed(aws: Aws) -> None:
    aws.thing("both"), aws.group("both")
    with pytest.raises(InvalidRequestError, match="`both` is a thing and a thing group"):
        find_targets(aws.cloud(), ["both"])
    with pytest.raises(NotFoundError, match="there is no thing or thing group `nobody` in account 123456789012"):
        find_targets(aws.cloud(), ["nobody"])
    with pytest.raises(InvalidRequestError, match="is no target"):
        find_targets(aws.cloud(), ["gruop/x"])
    with pytest.raises(InvalidRequestError, match="nucleus lite takes deployments to thing groups only"):
        make_plan(aws.cloud(), Order((), (), tuple(find_targets(aws.cloud(), ["thing/both"])), nucleus="lite"))
