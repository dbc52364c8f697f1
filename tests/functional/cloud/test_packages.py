"""What a script that called Panorama's API calls now: packages, versions, tags.

``VEDETTE_DEPLOYMENTS=201`` deploys so often to one device; a few times otherwise.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vedette.cli.failure import Failure
from vedette.cli.main import app
from vedette.cloud import InvalidRequestError
from vedette.cloud.bucket import default_bucket
from vedette.cloud.planning import Application, make_plan
from vedette.cloud.publishing import plan_publications, publish

from .conftest import Aws, order, tiny
from .test_deploying import bucket, carry, deploy

Make = Callable[..., Application]
DEPLOYMENTS = int(os.environ.get("VEDETTE_DEPLOYMENTS", "3"))
ARN = "arn:aws:greengrass:us-east-1:123456789012:components:"


@pytest.fixture(autouse=True)
def _one_caller(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.cloud.Cloud", lambda **_: aws.cloud())


def answer(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    failure = CliRunner().invoke(app, arguments).exception
    assert isinstance(failure, Failure)
    return failure.message


def publish_versions(aws: Aws, folder: Path, name: str, versions: Sequence[str], *, shared: bool = False) -> None:
    """Publish versions one after the other, each with an artifact of its own, or all with one."""
    first = tiny(folder, name, versions[0])
    for version in versions:
        item = tiny(folder, name, version, content=version)
        if shared:
            item = replace(first, version=version, recipe={**first.recipe, "ComponentVersion": version})
        publish(aws.cloud(), bucket(aws), plan_publications(aws.cloud(), [item]))


def versions(aws: Aws, name: str) -> list[str]:
    return sorted(made.recipe.component_version for made in aws.stand_in.components.versions(name))


def keys(aws: Aws) -> list[str]:
    listed = aws.client("s3").list_objects_v2(Bucket=default_bucket(aws.cloud()), Prefix="artifacts/")
    return [item["Key"] for item in listed.get("Contents", ())]


def test_a_component_of_somebody_else_is_listed_or_touched(aws: Aws, suite: str, tmp_path: Path) -> None:
    publish_versions(aws, tmp_path, "com.example.Other", ["1.0.0"])
    publish_versions(aws, tmp_path, "vedette.model.NET.1a2b3c4d", ["1.0.0"])
    listed = {item["name"]: item["kind"] for item in answer("package", "list")["packages"]}
    assert listed["vedette.model.NET.1a2b3c4d"] == "model"
    assert set(listed.values()) == {"model", "suite"}
    assert "com.example.Other" not in listed
    (model,) = answer("package", "list", "--kind", "model")["packages"]
    assert (model["name"], model["latest"]) == ("vedette.model.NET.1a2b3c4d", "1.0.0")
    assert "is no package of Vedette" in refused("package", "delete", "com.example.Other", "--yes")
    assert "nothing is published as `vedette.app.never`" in refused("package", "describe", "vedette.app.never")


def test_a_package_is_not_described_as_panorama_did(aws: Aws, tmp_path: Path) -> None:
    publish_versions(aws, tmp_path, "vedette.app.one", ["1.0.1", "1.0.3", "1.0.2"])
    where = default_bucket(aws.cloud())
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{where}/artifacts/*",
            }
        ]
    }
    aws.client("s3").put_bucket_policy(Bucket=where, Policy=json.dumps(policy))
    told = answer("package", "describe", "vedette.app.one")["package"]
    # The one that was published last, not the one with the highest number: numbers are made of the content.
    assert [(v["version"], v["latest"]) for v in told["versions"]] == [
        ("1.0.2", True), ("1.0.3", False), ("1.0.1", False)
    ]  # fmt: skip
    assert {v["status"] for v in told["versions"]} == {"REGISTER_COMPLETED"}
    assert told["storage"]["bucket"] == where
    assert told["storage"]["artifacts"][0].startswith(f"s3://{where}/artifacts/")
    assert told["accounts"] == {"readers": ["111122223333", "123456789012"], "writers": ["123456789012"]}


def test_a_version_that_failed_is_told_without_its_reason(aws: Aws, tmp_path: Path, monkeypatch: Any) -> None:
    publish_versions(aws, tmp_path, "vedette.app.one", ["1.0.1"])
    describe = aws.stand_in.components.describe

    def failed(arn: str) -> dict[str, Any]:
        status = {"componentState": "FAILED", "message": "FAILED", "errors": {"x": "artifact checksum mismatch"}}
        return {**describe(arn), "status": status}

    monkeypatch.setattr(aws.stand_in.components, "describe", failed)
    (told,) = answer("package", "describe", "vedette.app.one")["package"]["versions"]
    assert (told["status"], told["message"]) == ("FAILED", "artifact checksum mismatch")


def test_what_is_deployed_or_shared_is_deleted(aws: Aws, suite: str, make_application: Make, tmp_path: Path) -> None:
    name = "vedette.app.one"
    publish_versions(aws, tmp_path, name, ["1.0.1", "1.0.2"], shared=True)
    publish_versions(aws, tmp_path, name, ["1.0.3"])
    group = aws.group("shop")
    deploy(aws, order(make_application("one", version="1.0.4"), to=[group]))
    assert "vedette.app.one 1.0.4 is deployed to thinggroup/shop" in refused("package", "delete", name, "--yes")
    assert "has no version 9.9.9" in refused("package", "delete", name, "9.9.9", "--yes")
    assert "nobody can be asked" in refused("package", "delete", name, "1.0.1")
    before = keys(aws)
    told = answer("package", "delete", name, "1.0.1", "1.0.3", "--artifacts", "--yes")
    assert versions(aws, name) == ["1.0.2", "1.0.4"]
    # The artifact of 1.0.1 is that of 1.0.2, too.
    assert len(told["artifacts"]) == 1
    assert len(keys(aws)) == len(before) - 1
    deploy(aws, order(to=[group], remove=("one",)))
    answer("package", "delete", name, "--yes")
    assert versions(aws, name) == []


def test_pruning_deletes_what_is_new_or_deployed(aws: Aws, suite: str, make_application: Make, tmp_path: Path) -> None:
    """And thirty versions are no limit, as twenty were of Panorama's packages."""
    name = "vedette.app.one"
    deploy(aws, order(make_application("one", version="1.0.1"), to=[aws.group("shop")]))
    publish_versions(aws, tmp_path, name, [f"1.0.{number}" for number in range(2, 32)])
    told = answer("package", "prune", name, "--keep", "3", "--yes")
    assert versions(aws, name) == ["1.0.1", "1.0.29", "1.0.30", "1.0.31"]
    assert told["kept"] == [{"name": name, "version": "1.0.1", "used_by": ["thinggroup/shop"]}]
    assert told["artifacts"] == []  # kept, as cleanup-patches.sh did
    assert answer("package", "prune", "--keep", "3", "--yes")["deleted"] == []


def test_tags_do_not_come_back(aws: Aws, suite: str, make_application: Make) -> None:
    """TagResource, UntagResource and ListTagsForResource are Greengrass's own; ``deploy --tag`` is seen by them."""
    made = make_application("one")
    (item,) = made.publishables
    group, arn = aws.group("shop"), f"{ARN}vedette.app.one:versions:1.0.1"
    deploy(aws, order(replace(made, publishables=(replace(item, tags={"team": "shops"}),)), to=[group]))
    greengrass = aws.client("greengrassv2")
    assert greengrass.list_tags_for_resource(resourceArn=arn)["tags"]["team"] == "shops"
    # Another tag is a change of its own: no new version, no new deployment.
    plan = make_plan(
        aws.cloud(), order(replace(made, publishables=(replace(item, tags={"team": "depot"}),)), to=[group])
    )
    assert plan.changed
    assert [item.component.version for item in plan.to_tag] == ["1.0.1"]
    assert carry(aws, plan) == []
    assert greengrass.list_tags_for_resource(resourceArn=arn)["tags"]["team"] == "depot"
    greengrass.tag_resource(resourceArn=arn, tags={"cost": "7"})
    greengrass.untag_resource(resourceArn=arn, tagKeys=["team"])
    tags = greengrass.list_tags_for_resource(resourceArn=arn)["tags"]
    assert (tags["cost"], "team" in tags) == ("7", False)


@pytest.mark.timeout(60 + 2 * DEPLOYMENTS)
def test_two_hundred_deployments_a_day_are_a_limit(aws: Aws, suite: str, make_application: Make) -> None:
    thing = aws.thing("one")
    for number in range(DEPLOYMENTS):
        (made,) = deploy(aws, order(make_application("app", threshold=number), to=[thing]))
        aws.stand_in.fleet.work()
    assert made.revision == DEPLOYMENTS
    assert aws.stand_in.fleet.deployments[made.deployment_id]["deploymentStatus"] == "COMPLETED"


def test_an_artifact_that_greengrass_does_not_take_is_uploaded(aws: Aws, tmp_path: Path) -> None:
    item = tiny(tmp_path, "vedette.app.large", "1.0.0")
    with item.artifacts[0].open("r+b") as file:
        file.truncate(2_100_000_000)  # takes no room on the disk
    with pytest.raises(
        InvalidRequestError, match=r"the artifacts of vedette.app.large have 2.1 GB: Greengrass takes 2 GB"
    ):
        plan_publications(aws.cloud(), [item])
    assert aws.client("s3").list_buckets()["Buckets"] == []
