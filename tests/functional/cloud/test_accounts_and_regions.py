"""Everything is of one account and region: those of the caller's configuration, also by another account's role."""

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from vedette.cloud import Cloud
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.carrying_out import carry_out
from vedette.cloud.planning import Application, make_plan, plan_target
from vedette.cloud.targets import find_targets
from vedette.cloud_stand_in import StandIn
from vedette.cloud_stand_in.artifacts import read_from_s3

from .conftest import Aws, order, publish_suite
from .test_deploying import Silent

Make = Callable[..., Application]


def deploy(cloud: Cloud, application: Application) -> None:
    (group,) = find_targets(cloud, ["thing-group/shop"])
    bucket = Bucket(cloud, default_bucket(cloud))
    plan = make_plan(cloud, order(application, to=[group]), bucket)
    carry_out(
        cloud, bucket, plan, lambda target, current, arns: plan_target(plan.order, target, current, arns, plan.aws),
        Silent(),
    )  # fmt: skip


def test_something_of_one_region_gets_into_another(
    aws: Aws, make_application: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = make_application("app", "lobby")
    with StandIn(read_from_s3(aws.endpoint, "eu-west-1"), upstream=aws.endpoint, region="eu-west-1") as europe:
        for region, stand_in in (("us-east-1", aws.stand_in), ("eu-west-1", europe)):
            monkeypatch.setenv("AWS_ENDPOINT_URL_GREENGRASSV2", stand_in.url)
            monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", stand_in.url)
            cloud = Cloud(region=region, wait=lambda _: None)
            boto3.client("iot", region_name=region).create_thing_group(thingGroupName="shop")
            publish_suite(cloud, tmp_path / region)
            deploy(cloud, application)
            text = repr(stand_in.fleet.deployments) + repr(
                [v.text for v in stand_in.components.versions("vedette.app.app")]
            )
            other = {"us-east-1", "eu-west-1"} - {region}
            assert f"vedette-components-{region}-123456789012/" in text
            assert f"arn:aws:secretsmanager:{region}:123456789012:secret:vedette/camera/lobby" in text
            assert not [name for name in other if name in text]


def test_a_role_of_this_account_cannot_be_taken_from_another(
    aws: Aws, suite: str, make_application: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.group("shop")
    # Credentials of another account, as its people have them.
    foreign = aws.client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/people", RoleSessionName="kim")
    config = tmp_path / "config"
    config.write_text(
        "[profile theirs]\n"
        f"aws_access_key_id = {foreign['Credentials']['AccessKeyId']}\n"
        f"aws_secret_access_key = {foreign['Credentials']['SecretAccessKey']}\n"
        f"aws_session_token = {foreign['Credentials']['SessionToken']}\n"
        "[profile ours]\nrole_arn = arn:aws:iam::123456789012:role/VedettePipeline\nsource_profile = theirs\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert Cloud(profile="theirs").identity().account == "111122223333"
    cloud = Cloud(profile="ours", wait=lambda _: None)
    who = cloud.identity()
    assert (who.account, "assumed-role/VedettePipeline/" in who.arn) == ("123456789012", True)
    deploy(cloud, make_application("app", "lobby"))
    (made,) = aws.stand_in.fleet.deployments.values()
    assert "vedette.app.app" in made["components"]
