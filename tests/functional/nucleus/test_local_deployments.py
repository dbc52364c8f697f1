"""Local deployments, asked for with the unmodified SDK client as AWS's command line asks."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    InvalidArtifactsDirectoryPathError,
    ResourceNotFoundError,
)

from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError
from vedette.nucleus.ipc.deployment_desk import DeploymentRecord, LocalDeploymentRequest

from .conftest import Bench, wait_until
from .ipc_clients import SLEEPER, command_line, refused

UNKNOWN = "11111111-1111-1111-1111-111111111111"


def deploy(client: Any, **request: Any) -> Any:
    """Create a deployment and return it when it has ended."""
    deployment_id = client.create_local_deployment(**request).deployment_id

    def ended() -> Any:
        found = client.get_local_deployment_status(deployment_id=deployment_id).deployment
        return found if found.status not in {"QUEUED", "IN_PROGRESS"} else None

    return wait_until(ended, 20)


def running(bench: Bench) -> dict[str, str]:
    return {view.name: view.version for view in bench.nucleus.components()}


def recipe_folder(bench: Bench, folder: Path) -> Path:
    """Move the store's recipes into a folder of a developer's own."""
    shutil.move(bench.root / "packages" / "recipes", folder)
    return folder


def test_roots_are_neither_merged_nor_removed(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        bench.recipe(name, SLEEPER)
    bench.recipe("a", SLEEPER, version="2.0.0")
    client = command_line(bench)
    done = deploy(client, root_component_versions_to_add={"a": "1.0.0", "b": "1.0.0"})
    assert (done.status, done.deployment_status_details.detailed_deployment_status) == ("SUCCEEDED", "SUCCESSFUL")
    assert running(bench) == {"a": "1.0.0", "b": "1.0.0"}
    deploy(client, root_component_versions_to_add={"a": "2.0.0", "c": "1.0.0"}, root_components_to_remove=["b"])
    assert running(bench) == {"a": "2.0.0", "c": "1.0.0"}
    listed = client.list_local_deployments().local_deployments
    assert [deployment.status for deployment in listed] == ["SUCCEEDED", "SUCCEEDED"]
    assert re.fullmatch(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d UTC", listed[0].created_on)
    client.close()


def test_groups_overwrite_one_another(bench: Bench) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        bench.recipe("a", SLEEPER, version=version)
    bench.recipe("b", SLEEPER)
    client = command_line(bench)
    deploy(client, group_name="cameras", root_component_versions_to_add={"a": "^1.0.0"})
    deploy(client, group_name="shop", root_component_versions_to_add={"a": "<1.1.0", "b": "1.0.0"})
    assert running(bench) == {"a": "1.0.0", "b": "1.0.0"}
    clash = deploy(client, group_name="shop", root_component_versions_to_add={"a": "2.0.0"})
    assert clash.status == "FAILED"
    assert clash.deployment_status_details.detailed_deployment_status == "FAILED_NO_STATE_CHANGE"
    assert "no version of a fits" in clash.deployment_status_details.deployment_failure_cause
    assert running(bench) == {"a": "1.0.0", "b": "1.0.0"}
    deploy(client, group_name="shop", root_components_to_remove=["a", "b"])
    assert running(bench) == {"a": "1.1.0"}
    with refused(InvalidArgumentsError, "colon"):
        client.create_local_deployment(group_name="a:b")
    client.close()


def test_configuration_is_not_merged_after_the_reset(bench: Bench) -> None:
    bench.recipe("a", SLEEPER, configuration={"fps": 10, "deep": {"x": 1, "y": 2}})
    client = command_line(bench)
    change: dict[str, Any] = {"MERGE": {"fps": 12, "deep": {"x": 5}}}
    deploy(client, root_component_versions_to_add={"a": "1.0.0"}, component_to_configuration={"a": change})
    assert bench.nucleus.configuration.get("a") == {"fps": 12, "deep": {"x": 5, "y": 2}}
    change = {"MERGE": {"new": [1]}, "RESET": ["/deep/x", "/fps"]}
    deploy(client, component_to_configuration={"a": change})
    assert bench.nucleus.configuration.get("a") == {"fps": 10, "deep": {"x": 1, "y": 2}, "new": [1]}
    stranger = deploy(client, component_to_configuration={"nobody": {"MERGE": {"a": 1}}})
    assert "nobody is not part of the deployment" in stranger.deployment_status_details.deployment_failure_cause
    client.close()


def test_folders_of_recipes_and_artifacts_are_not_taken(bench: Bench, tmp_path: Path) -> None:
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "hello",
        "ComponentVersion": "1.0.0",
        "Manifests": [
            {
                "Platform": {"os": "linux"},
                "Lifecycle": {"run": "cat {artifacts:path}/words.txt"},
                "Artifacts": [{"URI": "s3://BUCKET/hello/1.0.0/words.txt"}],
            }
        ],
    }
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "anything.json").write_text(json.dumps(recipe))
    artifacts = tmp_path / "artifacts" / "hello" / "1.0.0"
    artifacts.mkdir(parents=True)
    (artifacts / "words.txt").write_text("good words\n")
    client = command_line(bench)
    folders = {
        "recipe_directory_path": str(tmp_path / "recipes"),
        "artifacts_directory_path": str(tmp_path / "artifacts"),
    }
    assert deploy(client, root_component_versions_to_add={"hello": "1.0.0"}, **folders).status == "SUCCEEDED"
    assert bench.heard.line("hello") == "good words"
    with pytest.raises(InvalidArtifactsDirectoryPathError):
        client.create_local_deployment(artifacts_directory_path=str(bench.root))
    missing = deploy(client, recipe_directory_path=str(tmp_path / "nowhere"))
    assert "nowhere is not there" in missing.deployment_status_details.deployment_failure_cause
    client.close()


def test_failed_deployment_leaves_its_traces(bench: Bench) -> None:
    bench.recipe("a", SLEEPER, configuration={"fps": 10})
    bench.recipe("a", {"run": "exit 4"}, version="2.0.0", configuration={"fps": 10, "fresh": 1})
    client = command_line(bench)
    deploy(client, root_component_versions_to_add={"a": "1.0.0"})
    failing = {
        "root_component_versions_to_add": {"a": "2.0.0"},
        "component_to_configuration": {"a": {"MERGE": {"fps": 99}}},
    }
    failed = deploy(client, **failing)
    details = failed.deployment_status_details
    assert (failed.status, details.detailed_deployment_status) == ("FAILED", "FAILED_ROLLBACK_COMPLETE")
    assert "exit code 4" in details.deployment_failure_cause
    assert details.deployment_error_stack == ["DEPLOYMENT_FAILURE", "COMPONENT_UPDATE_ERROR", "COMPONENT_BROKEN"]
    assert running(bench) == {"a": "1.0.0"}
    assert bench.nucleus.configuration.get("a") == {"fps": 10}
    bench.nucleus.wait_running()
    failed = deploy(client, failure_handling_policy="DO_NOTHING", **failing)
    assert failed.deployment_status_details.detailed_deployment_status == "FAILED_ROLLBACK_NOT_REQUESTED"
    assert running(bench) == {"a": "2.0.0"}
    client.close()


def test_cancelled_deployment_is_carried_out(bench: Bench) -> None:
    bench.recipe("slow", {"install": "sleep 3", "run": "true"})
    bench.recipe("late", SLEEPER)
    client = command_line(bench)
    first = client.create_local_deployment(root_component_versions_to_add={"slow": "1.0.0"}).deployment_id
    second = client.create_local_deployment(root_component_versions_to_add={"late": "1.0.0"}).deployment_id
    answer = client.cancel_local_deployment(deployment_id=second)
    assert answer.message == f"Cancel request submitted. Deployment ID: {second}"
    wait_until(lambda: client.get_local_deployment_status(deployment_id=second).deployment.status == "CANCELED")
    assert client.get_local_deployment_status(deployment_id=first).deployment.status == "SUCCEEDED"
    assert running(bench) == {"slow": "1.0.0"}
    assert client.cancel_local_deployment(deployment_id=first).message == (
        "Cancellation request is not processed because deployment is already finished"
    )
    with pytest.raises(ResourceNotFoundError):
        client.cancel_local_deployment(deployment_id=UNKNOWN)
    with refused(ResourceNotFoundError, "Cannot find deployment"):
        client.get_local_deployment_status(deployment_id=UNKNOWN)
    with refused(InvalidArgumentsError, "DeploymentId is a UUID"):
        client.get_local_deployment_status(deployment_id="nonsense")
    client.close()


def test_component_that_others_need_is_removed_from_under_them(bench: Bench) -> None:
    bench.recipe("base", SLEEPER)
    bench.recipe("top", SLEEPER, needs={"base": "HARD"})
    client = command_line(bench)
    deploy(client, root_component_versions_to_add={"base": "1.0.0", "top": "1.0.0"})
    deploy(client, root_components_to_remove=["base"])
    assert running(bench) == {"base": "1.0.0", "top": "1.0.0"}
    deploy(client, root_components_to_remove=["top"])
    assert running(bench) == {}
    client.close()


def test_document_leaves_what_its_target_had_and_loses_what_others_want(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        bench.recipe(name, SLEEPER, configuration={"fps": 1, "old": True})
    instance, desk = bench.nucleus.instance, bench.nucleus.local_deployments
    assert instance is not None

    def carry_out(deployment_id: str) -> None:
        def ended() -> DeploymentRecord | None:
            record = desk.find(deployment_id)
            return record if record is not None and record.detail is not None else None

        found = wait_until(ended, 30)
        assert found.detail == "SUCCESSFUL"

    carry_out(desk.create(LocalDeploymentRequest(add={"c": "1.0.0"})))
    arn = "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/cameras:1"
    for components in (
        {"a": {"version": "1.0.0"}, "b": {"version": "1.0.0", "configurationUpdate": {"merge": {"old": False}}}},
        {"b": {"version": "1.0.0", "configurationUpdate": {"merge": {"fps": 7}, "reset": ["/old"]}}},
    ):
        document = {"configurationArn": arn, "components": components}
        carry_out(request(instance.control_socket, "deployment-create", document=document))
    assert running(bench) == {"b": "1.0.0", "c": "1.0.0"}
    assert bench.nucleus.configuration.get("b") == {"fps": 7, "old": True}
    with pytest.raises(ControlError, match="components/a: `version` is missing"):
        request(instance.control_socket, "deployment-create", document={"components": {"a": {}}})


def test_damaged_component_stays_damaged_when_it_is_deployed_again(bench: Bench) -> None:
    desk = bench.nucleus.local_deployments
    bench.recipe("a", {"run": "exec sh {artifacts:decompressedPath}/x/main.sh"})
    path = bench.root / "packages" / "recipes" / "a-1.0.0.json"
    document = json.loads(path.read_text())
    document["Manifests"][0]["Artifacts"] = [{"URI": "s3://B/a/1.0.0/x.zip", "Unarchive": "ZIP"}]
    path.write_text(json.dumps(document))
    artifact = bench.root / "packages" / "artifacts" / "a" / "1.0.0" / "x.zip"
    artifact.parent.mkdir(parents=True)
    with zipfile.ZipFile(artifact, "w") as archive:
        archive.writestr("main.sh", "echo well; exec sleep 600")
    main = bench.root / "packages" / "artifacts-unarchived" / "a" / "1.0.0" / "x" / "main.sh"
    for damage in ("exit 3", None):
        found = desk.create(LocalDeploymentRequest(add={"a": "1.0.0"}))
        wait_until(lambda found=found: getattr(desk.find(found), "detail", None), 30)  # type: ignore[misc]
        assert getattr(desk.find(found), "detail", None) == "SUCCESSFUL"
        assert main.read_text() == "echo well; exec sleep 600"
        if damage is not None:
            main.write_text(damage)
            bench.nucleus.with_components(lambda components: components.restart_component("a"))
            bench.heard.state("a", "BROKEN")
    bench.heard.line("a", "well", 2)


def test_unpacked_versions_pile_up_or_the_one_to_go_back_to_is_gone(bench: Bench, tmp_path: Path) -> None:
    desk = bench.nucleus.local_deployments
    unpacked = bench.root / "packages" / "artifacts-unarchived" / "a"
    for version, run, detail in (
        ("1.0.0", "exec sleep 600", "SUCCESSFUL"),
        ("2.0.0", "exit 1", "FAILED_ROLLBACK_COMPLETE"),
        ("3.0.0", "exec sleep 600", "SUCCESSFUL"),
    ):
        bench.recipe("a", {"run": run}, version=version)
        path = bench.root / "packages" / "recipes" / f"a-{version}.json"
        document = json.loads(path.read_text())
        document["Manifests"][0]["Artifacts"] = [{"URI": f"s3://B/a/{version}/x.zip", "Unarchive": "ZIP"}]
        path.write_text(json.dumps(document))
        artifact = bench.root / "packages" / "artifacts" / "a" / version / "x.zip"
        artifact.parent.mkdir(parents=True)
        with zipfile.ZipFile(artifact, "w") as archive:
            archive.writestr("code.py", version)
        found = desk.create(LocalDeploymentRequest(add={"a": version}))
        wait_until(lambda found=found: getattr(desk.find(found), "detail", None), 30)  # type: ignore[misc]
        assert getattr(desk.find(found), "detail", None) == detail
        if version == "2.0.0":
            assert (unpacked / "1.0.0" / "x" / "code.py").exists()
    assert [path.name for path in unpacked.iterdir()] == ["3.0.0"]
