"""Publishing against S3 and a service that checks: immutable, content-addressed, in parts, never twice."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from vedette.cloud import AlreadyThereError, InvalidRequestError, NotFoundError, UnreachableError
from vedette.cloud import bucket as bucket_module
from vedette.cloud.bucket import Bucket, artifact_upload, default_bucket
from vedette.cloud.publishing import CONTENT_TAG, State, plan_publications, publish, refuse_others

from .conftest import Aws, tiny


def bucket(aws: Aws, **options: Any) -> Bucket:
    cloud = aws.cloud(**options)
    return Bucket(cloud, default_bucket(cloud))


def test_a_second_publication_uploads_or_creates_something(aws: Aws, tmp_path: Path) -> None:
    cloud, items = aws.cloud(), [tiny(tmp_path, f"com.example.{name}", "1.0.0", content="same") for name in "ab"]
    plan = plan_publications(cloud, items)
    assert [item.state for item in plan] == [State.NEW, State.NEW]
    assert publish(cloud, bucket(aws), plan) == plan
    assert [item.state for item in plan_publications(cloud, items)] == [State.THERE, State.THERE]
    calls = len(aws.stand_in.calls)
    assert publish(cloud, bucket(aws), plan_publications(cloud, items)) == []
    assert aws.stand_in.calls[calls:] == ["DescribeComponent"] * 2


def test_the_stored_recipe_names_another_artifact_than_the_one_uploaded(aws: Aws, tmp_path: Path) -> None:
    cloud, item = aws.cloud(), tiny(tmp_path, "com.example.A", "1.0.0")
    publish(cloud, bucket(aws), plan_publications(cloud, [item]))
    made = aws.stand_in.components.versions("com.example.A")[0]
    (artifact,) = made.text["Manifests"][0]["Artifacts"]
    place, _, key = artifact["URI"].removeprefix("s3://").partition("/")
    body = aws.client("s3").get_object(Bucket=place, Key=key)["Body"].read()
    assert body == item.artifacts[0].read_bytes()
    assert artifact["Algorithm"] == "SHA-256"
    assert made.tags[CONTENT_TAG] == item.content()
    assert place == "vedette-components-us-east-1-123456789012"
    assert all(aws.client("s3").get_public_access_block(Bucket=place)["PublicAccessBlockConfiguration"].values())


def test_a_container_beside_the_archive_is_left_behind(aws: Aws, tmp_path: Path) -> None:
    cloud, item = aws.cloud(), tiny(tmp_path, "com.example.A", "1.0.0")
    container = tmp_path / f"{'ab' * 32}.tar.gz"
    container.write_bytes(b"a root file system" * 1000)
    recipe = yaml.safe_load(yaml.safe_dump(dict(item.recipe)))
    recipe["Manifests"][0]["Artifacts"].append({"URI": f"s3://BUCKET/{container.name}"})
    both = replace(item, recipe=recipe, artifacts=(*item.artifacts, container))
    assert both.content() != item.content()
    publish(cloud, bucket(aws), plan_publications(cloud, [both]))
    made = aws.stand_in.components.versions("com.example.A")[0]
    place, _, key = made.text["Manifests"][0]["Artifacts"][1]["URI"].removeprefix("s3://").partition("/")
    assert aws.client("s3").get_object(Bucket=place, Key=key)["Body"].read() == container.read_bytes()


def test_a_published_version_is_changed(aws: Aws, tmp_path: Path) -> None:
    cloud = aws.cloud()
    publish(cloud, bucket(aws), plan_publications(cloud, [tiny(tmp_path / "1", "com.example.A", "1.0.0", content="x")]))
    (other,) = plan_publications(cloud, [tiny(tmp_path / "2", "com.example.A", "1.0.0", content="y")])
    assert other.state is State.OTHER
    with pytest.raises(AlreadyThereError, match=r"com\.example\.A 1\.0\.0 is already published with other content"):
        refuse_others([other])


def test_the_same_content_packed_by_another_zlib_counts_as_other(aws: Aws, tmp_path: Path) -> None:
    cloud, item = aws.cloud(), tiny(tmp_path / "1", "com.example.A", "1.0.0", content="x" * 5000)
    publish(cloud, bucket(aws), plan_publications(cloud, [item]))
    again = tiny(tmp_path / "2", "com.example.A", "1.0.0")
    with zipfile.ZipFile(again.artifacts[0], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        opened.writestr(zipfile.ZipInfo("file.txt"), "x" * 5000, zipfile.ZIP_DEFLATED)
    assert again.artifacts[0].read_bytes() != item.artifacts[0].read_bytes()
    assert [found.state for found in plan_publications(cloud, [again])] == [State.THERE]


def test_parts_that_are_up_are_sent_again(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "PART_BYTES", 5 << 20)
    path = tmp_path / "large.zip"
    path.write_bytes(os.urandom(12 << 20))
    upload = artifact_upload(path)
    sent: list[int] = []

    cloud = aws.cloud(attempts=1)
    call = cloud.call

    def breaking(service: str, operation: str, **arguments: Any) -> Any:
        if operation == "upload_part":
            if arguments["PartNumber"] == 3 and not fixed:
                raise UnreachableError("the line is cut")
            sent.append(arguments["PartNumber"])
        return call(service, operation, **arguments)

    fixed: list[bool] = []
    monkeypatch.setattr(cloud, "call", breaking)
    where = Bucket(cloud, default_bucket(cloud))
    where.make()
    with pytest.raises(UnreachableError):
        where.upload(where.missing([upload]))
    fixed.append(True)
    before = sorted(sent)
    heard: list[tuple[int, int]] = []
    where.upload(where.missing([upload]), lambda done, total: heard.append((done, total)))
    assert sorted(sent[len(before) :]) == [part for part in (1, 2, 3) if part not in before]
    assert max(heard) == (12 << 20, 12 << 20)
    assert aws.client("s3").get_object(Bucket=where.name, Key=upload.key)["Body"].read() == path.read_bytes()
    assert where.missing([upload]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ComponentName": "aws.greengrass.Mine"}, "reserved"),
        ({"Manifests": []}, "no Manifests"),
        ({"ComponentVersion": "1.0"}, "not a semantic version"),
        (
            {"Lifecycle": {"runn": "x"}, "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"runn": "x"}}]},
            "runn",
        ),
        ({"RecipeFormatVersion": "2019-01-01"}, "recipe"),
    ],
)
def test_the_stand_in_takes_a_recipe_that_aws_refuses(
    aws: Aws, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    recipe = {**tiny(tmp_path, "com.example.A", "1.0.0").recipe, "Manifests": [{"Platform": {"os": "linux"}}], **change}
    with pytest.raises(InvalidRequestError, match=words):
        aws.cloud().call("greengrassv2", "create_component_version", inlineRecipe=yaml.safe_dump(recipe).encode())


def test_the_stand_in_takes_an_artifact_that_is_not_there(aws: Aws, tmp_path: Path) -> None:
    recipe = yaml.safe_dump(dict(tiny(tmp_path, "com.example.A", "1.0.0").recipe)).encode()
    with pytest.raises(InvalidRequestError, match="Cannot access S3 artifact"):
        aws.cloud().call("greengrassv2", "create_component_version", inlineRecipe=recipe)
    with pytest.raises(NotFoundError):
        arn = "arn:aws:greengrass:us-east-1:123456789012:components:com.example.A:versions:1.0.0"
        aws.cloud().call("greengrassv2", "describe_component", arn=arn)
