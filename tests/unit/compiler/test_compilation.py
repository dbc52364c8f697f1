"""Components of an application: names, versions made of content, recipes that every nucleus takes, no secrets."""

import io
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from vedette.application import ApplicationConfiguration, ApplicationManifest
from vedette.compiler import Compiled, application_component, compile_application, model_component, write_store
from vedette.compiler.naming import component_version
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.nucleus.deployment import Deployment
from vedette.nucleus.recipe import Platform, lifecycle_for, parse_recipe
from vedette.nucleus.store import ComponentStore
from vedette.resources import examples_dir

EXAMPLE = examples_dir() / "people-counter"
CAMERA = CameraSource(name="gate", url="rtsp://admin:hunter2@10.0.0.1/1")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLE, tmp_path / "people-counter", ignore=shutil.ignore_patterns(".vedette"))


def compiled(root: Path, *, camera: CameraSource = CAMERA, instance: str | None = None, **settings: object) -> Compiled:
    result = resolve(load_project(root), (), {"camera_node": [camera]}, settings, instance)
    assert result.application is not None, [str(item) for item in result.findings]
    return compile_application(result.application)


def versions(root: Path, **named: Any) -> tuple[str, ...]:
    return tuple(component.version for component in compiled(root, **named).components)


def test_equal_content_gives_another_version(project: Path, tmp_path: Path) -> None:
    first = compiled(project)
    moved = shutil.move(project, tmp_path / "elsewhere" / "people-counter")
    again = compiled(Path(moved))
    assert [c.recipe_text() for c in first.components] == [c.recipe_text() for c in again.components]
    assert versions(Path(moved)) == tuple(component.version for component in first.components)


def test_cameras_and_settings_make_a_new_version(project: Path) -> None:
    other = CameraSource(name="yard", url="/videos/yard.mp4")
    assert versions(project) == versions(project, camera=other, detection_threshold=55)
    changed = compiled(project, camera=other, detection_threshold=55)
    assert changed.configuration["parameters"]["detection_threshold"] == 55.0


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def edit_code(root: Path) -> None:
    append(next(root.glob("packages/*COUNTER*/src/application.py")), "# changed\n")


def edit_mode(root: Path) -> None:
    next(root.glob("packages/*COUNTER*/src/application.py")).chmod(0o755)


def edit_title(root: Path) -> None:
    graph = next(root.glob("graphs/*/graph.json"))
    graph.write_text(graph.read_text().replace("Threshold", "Limit"))


def edit_requirements(root: Path) -> None:
    append(next(root.glob("packages/*COUNTER*/requirements.txt")), "boto3\n")


@pytest.mark.parametrize("edit", [edit_code, edit_mode, edit_title, edit_requirements])
def test_changed_content_keeps_its_version(project: Path, edit: Callable[[Path], None]) -> None:
    model, application = versions(project)
    edit(project)
    assert versions(project)[0] == model
    assert versions(project)[1] != application


def test_changed_model_keeps_its_version(project: Path) -> None:
    model, application = versions(project)
    name = compiled(project).models[0].name
    replace_model(project, b"other")
    changed = versions(project)
    assert changed[0] != model
    assert compiled(project).models[0].name != name
    assert changed[1] != application, "the application names the model by its content"


def replace_model(root: Path, content: bytes) -> None:
    (old,) = root.glob("assets/*.tar.gz")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("nanodet_g_416_int8.onnx")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    name = f"{sha256(buffer.getvalue()).hexdigest()}.tar.gz"
    old.with_name(name).write_bytes(buffer.getvalue())
    package = next(root.glob("packages/*NANODET*/package.json"))
    package.write_text(package.read_text().replace(old.name, name))


def test_recipe_is_refused_by_a_nucleus(project: Path) -> None:
    for component in compiled(project).components:
        text = component.recipe_text("bucket")
        recipe = parse_recipe(text, component.name)
        assert recipe.component_name == component.name
        assert recipe.component_version == component.version
        assert len(text) < 16_000
        for runtime in ("aws_nucleus_classic", "aws_nucleus_lite"):
            platform = Platform({"os": "linux", "architecture": "aarch64", "runtime": runtime})
            lifecycle, artifacts = lifecycle_for(recipe, platform)
            assert "install" in lifecycle.steps()
            assert [item.uri for item in artifacts] == [
                f"s3://bucket/{component.name}/{component.version}/{component.archive}.zip"
            ]
        document = yaml.safe_load(text)
        (manifest,) = document["Manifests"]
        assert manifest["Platform"] == {"os": "linux", "runtime": "*"}
        assert set(manifest["Lifecycle"]) <= {"install", "run", "uninstall"}, "nucleus lite reads lower-case keys only"
        for step in manifest["Lifecycle"].values():
            assert isinstance(step, str) or set(step) <= {"Script", "Timeout", "Setenv"}


def test_application_starts_without_what_it_needs(project: Path) -> None:
    result = compiled(project, instance="shop-1")
    recipe = yaml.safe_load(result.application.recipe_text())
    model = result.models[0]
    assert recipe["ComponentName"] == "vedette.app.shop-1"
    assert {name: item["DependencyType"] for name, item in recipe["ComponentDependencies"].items()} == {
        "vedette.AppRuntime": "HARD",
        "vedette.CameraIngest": "SOFT",
        "vedette.ModelInference": "SOFT",
        "vedette.Display": "SOFT",
        model.name: "HARD",
    }
    assert re.fullmatch(r"vedette\.model\.NANODET_G\.[0-9a-f]{8}", model.name)
    assert recipe["ComponentDependencies"][model.name]["VersionRequirement"] == model.version
    steps = recipe["Manifests"][0]["Lifecycle"]
    for name in ("install", "run"):
        last = steps[name]["Script"].splitlines()[-1]
        assert last.startswith('exec "{kernel:rootPath}/work/vedette.Runtime/bin/python" -m ')
        assert f" {name} --application " in steps[name]["Script"]
        assert steps[name]["Setenv"] == {"PYTHONPATH": "{kernel:rootPath}/work/vedette.AppRuntime/current"}
    assert steps["install"]["Timeout"] >= 600


def test_application_may_speak_for_another(project: Path) -> None:
    result = compiled(project, instance="shop-1")
    model_id = result.manifest.models[0].model_id
    access = yaml.safe_load(result.application.recipe_text())["ComponentConfiguration"]["DefaultConfiguration"][
        "accessControl"
    ]
    shadow = "$aws/things/*/shadow/name/vedette-shop-1"
    assert {
        service: [[policy["operations"], policy["resources"]] for policy in policies.values()]
        for service, policies in access.items()
    } == {
        "aws.greengrass.ipc.pubsub": [
            [
                ["aws.greengrass#PublishToTopic"],
                [
                    "vedette/application/shop-1/status",
                    "vedette/output/shop-1.*/status",
                    "vedette/camera/*/demand",
                    f"vedette/model/{model_id}/demand",
                ],
            ],
            [["aws.greengrass#SubscribeToTopic"], ["vedette/camera/+/status", "vedette/model/+/status"]],
            [["aws.greengrass#SubscribeToTopic"], [f"{shadow}/update/documents", f"{shadow}/delete/accepted"]],
        ],
        "aws.greengrass.ShadowManager": [
            [["aws.greengrass#GetThingShadow", "aws.greengrass#UpdateThingShadow"], [shadow]]
        ],
        "aws.greengrass.ipc.mqttproxy": [
            [["aws.greengrass#PublishToIoTCore"], [f"{shadow}/get", f"{shadow}/update"]],
            [
                ["aws.greengrass#SubscribeToIoTCore"],
                [f"{shadow}/{what}" for what in ("get/+", "update/accepted", "update/delta", "update/rejected")]
                + [f"{shadow}/delete/accepted"],
            ],
        ],
    }
    assert all(name.startswith("vedette.app.shop-1:") for policies in access.values() for name in policies)


def test_application_without_cameras_and_models_asks_for_them(project: Path) -> None:
    graph = next(project.glob("graphs/*/graph.json"))
    document = json.loads(graph.read_text())
    document["nodeGraph"]["nodes"] = document["nodeGraph"]["nodes"][:1]
    document["nodeGraph"]["edges"] = []
    graph.write_text(json.dumps(document))
    package = next(project.glob("packages/*COUNTER*/package.json"))
    content = json.loads(package.read_text())
    content["nodePackage"]["interfaces"][0]["inputs"] = []
    package.write_text(json.dumps(content))
    result = resolve(load_project(project))
    assert result.application is not None
    recipe = yaml.safe_load(compile_application(result.application).application.recipe_text())
    assert set(recipe["ComponentDependencies"]) == {"vedette.AppRuntime", "vedette.Display"}
    assert "camera" not in json.dumps(recipe["ComponentConfiguration"])


def test_store_does_not_give_the_nucleus_what_it_needs(project: Path, tmp_path: Path) -> None:
    result = compiled(project)
    root = tmp_path / "root"
    written = write_store(result, root)
    assert all(item.changed for item in written)
    store = ComponentStore(root)
    for component in result.components:
        (recipe,) = store.versions(component.name)
        store.prepare(recipe, recipe.manifests[0].artifacts)
    unpacked = store.decompressed_folder(result.application.name, result.application.version) / "application"
    manifest = ApplicationManifest.decode((unpacked / "application.json").read_bytes())
    assert (unpacked / manifest.source_root / "application.py").is_file()
    assert (unpacked / str(manifest.requirements_file)).is_file()
    assert (unpacked / str(manifest.dockerfile)).is_file()
    (model,) = manifest.models
    folder = store.decompressed_folder(model.component, result.models[0].version)
    assert (folder / "model" / model.file).stat().st_size > 1_000_000
    deployment = Deployment.model_validate({"components": result.deployment()})
    configuration = deployment.components[result.application.name].merge
    assert ApplicationConfiguration.from_component(configuration).unknown_names(manifest) == []


def test_second_write_changes_something(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_store(compiled(project), root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    stamps = {path: path.stat().st_mtime_ns for path in before}
    assert not any(item.changed for item in write_store(compiled(project), root))
    assert stamps == {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    other = tmp_path / "other"
    write_store(compiled(project), other)
    assert before == {root / path.relative_to(other): path.read_bytes() for path in other.rglob("*") if path.is_file()}


def test_newest_version_in_the_store_is_an_old_one(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for _ in range(3):
        edit_code(project)
        result = compiled(project)
        write_store(result, root)
        (recipe,) = ComponentStore(root).versions(result.application.name)
        assert recipe.component_version == result.application.version
    other = compiled(project, instance="second")
    write_store(other, root)
    assert len(ComponentStore(root).versions(result.application.name)) == 1
    assert {path.name for path in (root / "packages/artifacts" / result.application.name).iterdir()} == {
        result.application.version
    }


def test_password_is_written(project: Path, tmp_path: Path) -> None:
    result = compiled(project)
    (secret,) = result.secrets.values()
    assert secret == {"Username": "admin", "Password": "hunter2", "StreamUrl": "rtsp://10.0.0.1/1"}
    write_store(result, tmp_path / "root")
    for path in (tmp_path / "root").rglob("*"):
        contents = [path.read_bytes()] if path.is_file() else []
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        assert not any(b"hunter2" in content for content in contents), path
    assert "hunter2" not in repr(result)
    assert "hunter2" not in json.dumps(result.deployment())


def test_names_clash_or_are_refused_by_greengrass() -> None:
    assert application_component("shop-1") == "vedette.app.shop-1"
    digest = "0123456789abcdef" * 4
    assert model_component("NANODET_G", digest) == "vedette.model.NANODET_G.01234567"
    assert model_component("a/b", digest) != model_component("a-b", digest)
    long = [model_component("x" * 200, digest), model_component("x" * 200, digest[::-1])]
    assert long[0] != long[1]
    assert all(len(name) == 128 for name in long)


def test_two_projects_cannot_share_a_device(project: Path, tmp_path: Path) -> None:
    """A device holds one version of a component: equal names must mean equal content."""
    other = shutil.copytree(project, tmp_path / "other-project")
    replace_model(other, b"another model")
    one, two = compiled(project), compiled(other)
    assert one.application.name != two.application.name
    assert one.models[0].name != two.models[0].name
    root = tmp_path / "device"
    write_store(one, root)
    write_store(two, root)
    for result in (one, two):
        (model,) = result.manifest.models
        assert model.component == result.models[0].name
        (recipe,) = ComponentStore(root).versions(model.component)
        assert recipe.component_version == result.models[0].version


def test_two_projects_with_one_model_hold_it_twice(project: Path, tmp_path: Path) -> None:
    other = shutil.copytree(project, tmp_path / "other-project")
    assert compiled(project).models[0].recipe == compiled(other).models[0].recipe


def test_packages_whose_names_differ_in_case_only_become_one_component(project: Path) -> None:
    twin = shutil.copytree(next(project.glob("packages/*-NANODET_G-1.0")), project / "packages/1-Nanodet_G-1.0")
    file = twin / "package.json"
    file.write_text(file.read_text().replace('"NANODET_G"', '"Nanodet_G"'))
    graph = next(project.glob("graphs/*/graph.json"))
    document = json.loads(graph.read_text())
    document["nodeGraph"]["packages"].append({"name": "1::Nanodet_G", "version": "1.0"})
    document["nodeGraph"]["nodes"].append({"name": "twin", "interface": "1::Nanodet_G.interface"})
    graph.write_text(json.dumps(document))
    result = compiled(project)
    assert len({model.name.lower() for model in result.models}) == 2
    assert {model.component for model in result.manifest.models} == {model.name for model in result.models}


@pytest.mark.parametrize("package", ["1.0", "01.7", "99999999999999999999.0", "3"])
def test_version_is_not_semantic(package: str) -> None:
    numbers = component_version(package, "f" * 64).split(".")
    assert len(numbers) == 3
    assert all(str(int(number)) == number and int(number) < 2**31 for number in numbers)
