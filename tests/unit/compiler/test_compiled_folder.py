"""What vedette compile writes: valid for AWS, complete, exact, equal for equal input, without secrets."""

import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

import vedette
from vedette.application import (
    MAX_SHADOW_BYTES,
    ApplicationConfiguration,
    desired_parameters,
    shadow_bytes,
    shadow_name,
)
from vedette.build import BuildError
from vedette.build.components import LOCAL_BUCKET
from vedette.compiler import (
    Compiled,
    Target,
    TargetError,
    create_deployment,
    device_document,
    needed_secrets,
    write_folder,
    write_secrets,
    write_store,
)
from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.recipe import parse_recipe

CompileExample = Callable[..., Compiled]
TARGET = Target("arn:aws:iot:eu-west-1:111122223333:thinggroup/shop-cameras")


def _rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("greengrass_rules", Path(__file__).with_name("greengrass_rules.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RULES = _rules()


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def test_aws_refuses_a_recipe(compile_example: CompileExample, tmp_path: Path) -> None:
    write_folder(compile_example("shop-1"), tmp_path / "out", bucket="b" * 63)
    recipes = sorted((tmp_path / "out" / "recipes").iterdir())
    assert len(recipes) == 2
    for path in recipes:
        assert path.stat().st_size < 16_000
        recipe = yaml.safe_load(path.read_text())
        jsonschema.validate(RULES.lower_keys(recipe), RULES.RECIPE)
        assert path.name == f"{recipe['ComponentName']}-{recipe['ComponentVersion']}.yaml"
        assert not [text for text in strings(recipe) if "{iot:" in text or ":{configuration" in text]
        for uri in (artifact["URI"] for artifact in recipe["Manifests"][0]["Artifacts"]):
            assert (tmp_path / "out/artifacts" / uri.removeprefix(f"s3://{'b' * 63}/")).is_file()


def test_a_recipe_that_gdk_refuses_passes_our_rules(compile_example: CompileExample) -> None:
    recipe = RULES.lower_keys(yaml.safe_load(compile_example().application.recipe_text()))
    for key, value in {"componentversion": "1.0", "componentname": "a b", "manifests": [], "extra": 1}.items():
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**recipe, key: value}, RULES.RECIPE)


@pytest.mark.parametrize("target", [None, TARGET])
def test_aws_refuses_the_deployment(compile_example: CompileExample, target: Target | None) -> None:
    compiled = compile_example("shop-1")
    document = create_deployment(compiled, target)
    jsonschema.validate(document, RULES.CREATE_DEPLOYMENT)
    assert document.get("targetArn") == (target.arn if target else None)
    own = document["components"].pop("vedette.app.shop-1")
    assert own["componentVersion"] == compiled.application.version
    merged = json.loads(own["configurationUpdate"]["merge"])
    configuration = ApplicationConfiguration.from_component(merged)
    assert configuration.instance == "shop-1"
    assert configuration.unknown_names(compiled.manifest) == []
    assert own["configurationUpdate"]["reset"] == [
        "/accessControl", "/cameras", "/parameters", "/parameterOrigins", "/ports", "/role",
    ]  # fmt: skip
    suite = {
        "vedette.Runtime", "vedette.AppRuntime", "vedette.CameraIngest", "vedette.ModelInference", "vedette.Display",
    }  # fmt: skip
    assert document["components"] == {name: {"componentVersion": vedette.__version__} for name in suite}


def test_a_component_floats_to_the_newest_version(compile_example: CompileExample) -> None:
    """Whatever a recipe depends on is named exactly: by the deployment, or by the recipe itself."""
    compiled = compile_example()
    pinned = set(create_deployment(compiled)["components"])
    exact = {model.name: model.version for model in compiled.models}
    for component in compiled.components:
        for name, said in component.recipe.get("ComponentDependencies", {}).items():
            assert name in pinned or said["VersionRequirement"] == exact[name]


def test_the_device_gets_another_deployment(compile_example: CompileExample) -> None:
    compiled = compile_example()
    cloud, device = create_deployment(compiled, TARGET), device_document(compiled, TARGET)
    assert device["configurationArn"] == (
        "arn:aws:greengrass:eu-west-1:111122223333:configuration:thinggroup/shop-cameras:1"
    )
    assert device["failureHandlingPolicy"] == cloud["deploymentPolicies"]["failureHandlingPolicy"]
    assert set(device["components"]) == set(cloud["components"])
    for name, said in device["components"].items():
        other = cloud["components"][name]
        assert said["version"] == other["componentVersion"]
        update = other.get("configurationUpdate", {})
        assert said.get("configurationUpdate", {}) == {
            **update, **({"merge": json.loads(update["merge"])} if "merge" in update else {}),
        }  # fmt: skip
    components = {
        name: ComponentDeployment(version=said["version"], **said.get("configurationUpdate", {}))
        for name, said in device["components"].items()
    }
    assert len(Deployment(components=components).components) == 6
    assert "configurationArn" not in device_document(compiled)
    ids = {
        device["deploymentId"],
        device_document(compiled)["deploymentId"],
        device_document(compile_example("b"))["deploymentId"],
    }
    assert len(ids) == 3, "another deployment has another id"
    assert device_document(compile_example(), TARGET) == device


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "shop",
        "arn:aws:iot:eu-west-1:111122223333:thinggroup/",
        "arn:aws:iot:eu-west-1:1111:thinggroup/a",
        "arn:aws:greengrass:eu-west-1:111122223333:thinggroup/a",
        "arn:aws:iot:eu-west-1:111122223333:thinggroup/a b",
        "arn:aws:iot:eu-west-1:111122223333:thinggroup/a\n",
    ],
)
def test_a_target_that_is_none_is_taken(arn: str) -> None:
    with pytest.raises(TargetError, match=r"expected arn:aws:iot:"):
        Target(arn)


def test_run_uses_other_components_than_a_device(compile_example: CompileExample, tmp_path: Path) -> None:
    compiled = compile_example()
    write_store(compiled, tmp_path / "root")
    write_folder(compiled, tmp_path / "out", bucket=LOCAL_BUCKET)
    store, out = contents(tmp_path / "root" / "packages"), contents(tmp_path / "out")
    assert store == {name: out[name] for name in out if name.startswith(("recipes/", "artifacts/"))}
    write_folder(compiled, tmp_path / "published")
    for name, content in contents(tmp_path / "published").items():
        if name.startswith("recipes/"):
            assert content.replace(b"s3://BUCKET_NAME/", f"s3://{LOCAL_BUCKET}/".encode()) == store[name]
            assert parse_recipe(content, name).component_name in name


def test_equal_input_gives_other_bytes(compile_example: CompileExample, tmp_path: Path) -> None:
    first = write_folder(compile_example(), tmp_path / "a", target=TARGET)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*") if path.is_file()}
    again = write_folder(compile_example(), tmp_path / "a", target=TARGET)
    assert again.changed == again.removed == ()
    assert again.index == first.index
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    write_folder(compile_example(), tmp_path / "b", target=TARGET)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == {*first.index["files"], "compiled.json"}


def test_the_index_says_something_else_than_is_there(compile_example: CompileExample, tmp_path: Path) -> None:
    import hashlib

    out = tmp_path / "out"
    write_folder(compile_example("shop-1"), out)
    index = read(out / "compiled.json")
    assert (index["schema"], index["instance"], index["shadow"]) == ("vedette.compiled/1", "shop-1", "vedette-shop-1")
    for component in index["components"]:
        recipe = yaml.safe_load((out / component["recipe"]).read_text())
        assert (recipe["ComponentName"], recipe["ComponentVersion"]) == (component["name"], component["version"])
        data = (out / component["artifact"]).read_bytes()
        assert component["artifactSha256"] == hashlib.sha256(data).hexdigest()
        assert component["artifactBytes"] == len(data)


def test_components_of_an_earlier_version_stay(example: Path, compile_example: CompileExample, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(compile_example(), out)
    source = next(example.glob("packages/*COUNTER*/src/application.py"))
    source.write_text(source.read_text() + "# changed\n")
    before = set(contents(out))
    (out / "notes.txt").write_text("mine")
    result = write_folder(compile_example(), out)
    assert len(result.removed) == 2
    assert set(contents(out)) == {*result.index["files"], "compiled.json", "notes.txt"}
    assert len(before) == len(result.index["files"]) + 1
    assert len(list((out / "artifacts").iterdir())) == 2


def test_an_index_that_was_tampered_with_removes_files_elsewhere(
    compile_example: CompileExample, tmp_path: Path
) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine.txt"
    write_folder(compile_example(), out)
    mine.write_text("mine")
    (out / "link").symlink_to(tmp_path)
    index = read(out / "compiled.json")
    index["files"] += ["../mine.txt", str(mine), "link/mine.txt", "recipes"]
    (out / "compiled.json").write_text(json.dumps(index))
    with pytest.raises((IsADirectoryError, PermissionError)):
        write_folder(compile_example(), out)
    index["files"].remove("recipes")
    (out / "compiled.json").write_text(json.dumps(index))
    write_folder(compile_example(), out)
    assert mine.read_text() == "mine"


def test_a_folder_of_something_else_is_written_into(compile_example: CompileExample, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("")
    (tmp_path / "file").write_text("")
    for place in ("out", "file"):
        with pytest.raises(BuildError, match="give a new or empty folder"):
            write_folder(compile_example(), tmp_path / place)
    assert contents(tmp_path / "out") == {"a": b""}


def test_a_compilation_that_was_cut_short_cannot_be_repeated(
    compile_example: CompileExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("vedette.compiler.folder.create_deployment", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_folder(compile_example(), out)
    assert any((out / "recipes").iterdir())
    write_folder(compile_example(), out)
    write_folder(compile_example(), tmp_path / "other")
    assert contents(out) == contents(tmp_path / "other")


def test_the_shadow_has_other_parameters_than_the_deployment(compile_example: CompileExample, tmp_path: Path) -> None:
    compiled = compile_example("shop-1", detection_threshold=55)
    write_folder(compiled, tmp_path / "out")
    payload = read(tmp_path / "out/shadows/vedette-shop-1.json")
    assert payload == {
        "state": {
            "desired": {"parameters": {"detection_threshold": 55.0, "detection_class": 0, "count_label": "people"}}
        }
    }
    assert payload["state"]["desired"]["parameters"] == compiled.configuration["parameters"]
    assert shadow_bytes(payload) < MAX_SHADOW_BYTES
    assert shadow_bytes(desired_parameters({"text": "é" * 4096})) > MAX_SHADOW_BYTES


def test_shadow_names_clash_or_are_refused_by_aws() -> None:
    import re

    names = [shadow_name(instance) for instance in ("shop-1", "shop.1", "shop_1", "x" * 99 + "a", "x" * 99 + "b")]
    assert names[0] == "vedette-shop-1"
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9:_-]{1,64}", name) for name in names)


def test_a_password_is_written(compile_example: CompileExample, tmp_path: Path) -> None:
    compiled = compile_example()
    write_folder(compiled, tmp_path / "out")
    for name, content in contents(tmp_path / "out").items():
        parts = [content]
        if name.endswith(".zip"):
            with zipfile.ZipFile(tmp_path / "out" / name) as archive:
                parts += [archive.read(member) for member in archive.namelist()]
        assert not any(b"hunter2" in part for part in parts), name
    (secret,) = read(tmp_path / "out/secrets.json")["secrets"]
    assert secret["name"] in compiled.secrets
    assert secret["cameras"] == ["camera_node/gate"]
    assert set(secret["holds"]) == {"Username", "Password", "StreamUrl"} == set(compiled.secrets[secret["name"]])
    assert needed_secrets(compile_example(url="rtsp://10.0.0.1/1")) == []


def test_others_may_read_the_secrets(compile_example: CompileExample, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("old")
    path.chmod(0o644)
    write_secrets(compile_example().secrets, path)
    assert path.stat().st_mode & 0o777 == 0o600
    (secret,) = read(path).values()
    assert secret == {"Username": "admin", "Password": "hunter2", "StreamUrl": "rtsp://10.0.0.1/1"}
    assert [item.name for item in tmp_path.glob("*secrets*")] == ["secrets.json"]
