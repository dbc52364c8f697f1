"""vedette package: what panorama-cli made, all of it or nothing, and it resolves."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from vedette.cli.failure import Failure
from vedette.cli.packaging import add_model, add_system_node, build_container, new_package, rename_package
from vedette.compiler import compile_application
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource

ACCOUNT = "123456789012"
# What `panorama-cli init-project` makes.
EMPTY = json.dumps({"nodeGraph": {"envelopeVersion": "2021-01-01", "packages": [], "nodes": [], "edges": []}}, indent=4)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("assets", "graphs/demo", "packages"):
        (tmp_path / "demo" / folder).mkdir(parents=True)
    (tmp_path / "demo/graphs/demo/graph.json").write_text(EMPTY)
    return tmp_path / "demo"


def new(root: Path, name: str, kind: str = "code", **given: Any) -> int:
    options: dict[str, Any] = {"version": "1.0", "url": "", "framework": None, "inputs": (), "graph": None}
    return new_package(root, name, kind, **{**options, "dry_run": False, **given})


def model(root: Path, name: str, file: Path | None, **given: Any) -> int:
    options: dict[str, Any] = {"descriptor": None, "inputs": (), "framework": None, "asset": None, "graph": None}
    return add_model(root, name, str(file) if file else None, **{**options, "dry_run": False, **given})


def build(root: Path, name: str, **given: Any) -> int:
    options: dict[str, Any] = {"image": None, "tar": None, "engine": None, "pull": True, "asset": None, "graph": None}
    return build_container(root, name, **{**options, **given})


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def graph(root: Path) -> Any:
    return json.loads((root / "graphs/demo/graph.json").read_text())["nodeGraph"]


def package(root: Path, name: str, version: str = "1.0") -> Any:
    return json.loads((root / f"packages/{ACCOUNT}-{name}-{version}/package.json").read_text())["nodePackage"]


def archive(path: Path, name: str, content: bytes = b"model") -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as opened:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
    return path


def findings(root: Path) -> list[str]:
    project = load_project(root)
    has_front = '"front"' in (root / "graphs/demo/graph.json").read_text()
    cameras = {"front": [CameraSource(name="front", url="rtsp://h/1")]} if has_front else {}
    found = resolve(project, (), cameras)
    if found.application is not None:
        compile_application(found.application)
    return [f"{finding.code} {finding.message}" for finding in [*project.findings(), *found.findings]]


def whole(root: Path, tmp_path: Path) -> None:
    assert new(root, "CODE") == 0
    assert new(root, "NET", "model", inputs=("data:1,3,8,8",)) == 0
    assert model(root, "NET", archive(tmp_path / "net.tar.gz", "net.onnx")) == 0
    assert add_system_node(root, "camera", "front", graph=None, dry_run=False) == 0
    assert add_system_node(root, "output", "screen", graph=None, dry_run=False) == 0


def test_an_application_made_step_by_step_does_not_compile(project: Path, tmp_path: Path) -> None:
    whole(project, tmp_path)
    assert findings(project) == []
    assert [node["name"] for node in graph(project)["nodes"]] == ["code_node", "model_node", "front", "screen"]
    assert graph(project)["edges"] == [
        {"producer": "front.video_out", "consumer": "code_node.video_in"},
        {"producer": "code_node.video_out", "consumer": "screen.video_in"},
    ]


def test_the_version_stands_only_in_folder_and_graph(project: Path) -> None:
    new(project, "CODE", version="2.1")
    assert package(project, "CODE", "2.1")["version"] == "2.1"
    assert graph(project)["packages"] == [{"name": f"{ACCOUNT}::CODE", "version": "2.1"}]


def test_a_camera_or_output_of_its_own_is_not_joined(project: Path) -> None:
    new(project, "gate", "camera", url="rtsp://10.0.0.1/stream")
    new(project, "screen", "output")
    new(project, "CODE")
    assert findings(project) == []
    application = resolve(load_project(project)).application
    assert application is not None
    assert [camera.url for camera in application.configuration().cameras["gate"]] == ["rtsp://10.0.0.1/stream"]
    assert len(graph(project)["edges"]) == 2


def test_a_second_code_package_makes_the_graph_wrong(project: Path) -> None:
    new(project, "CODE")
    new(project, "OTHER")
    assert [node["name"] for node in graph(project)["nodes"]] == ["code_node"]
    assert findings(project) == []


def test_stock_packages_are_added_twice(project: Path) -> None:
    new(project, "CODE")
    for name in ("front", "back"):
        add_system_node(project, "camera", name, graph=None, dry_run=False)
    assert [item["name"] for item in graph(project)["packages"]].count("panorama::abstract_rtsp_media_source") == 1


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda root: new(root, "CODE"), "has a package CODE 1.0 already"),
        (lambda root: new(root, "a b"), "cannot name a package"),
        (lambda root: new(root, "X", version="1"), "--version takes MAJOR.MINOR"),
        (lambda root: new(root, "X", "container"), "--type takes"),
        (lambda root: new(root, "X", "camera", url="rtsp://u:secret-word@h/"), "may hold no user and password"),
        (lambda root: new(root, "X", "camera", url="http://h/"), "--url takes rtsp://"),
        (lambda root: new(root, "X", "model", inputs=("data",)), "--input takes NAME:SHAPE"),
        (lambda root: new(root, "X", graph="none"), 'no graph "none"'),
        (lambda root: add_system_node(root, "camera", "code_node", graph=None, dry_run=False), "already"),
        (lambda root: add_system_node(root, "camera", "a b", graph=None, dry_run=False), "cannot name a node"),
        (lambda root: model(root, "NONE", None), "no package `NONE`"),
        (lambda root: model(root, "NET", None), "has no model yet"),
        (lambda root: model(root, "NET", root / "no.onnx"), "there is no file"),
        (lambda root: model(root, "NET", root / "graphs/demo/graph.json"), "no model that can be added"),
        (lambda root: model(root, "NET", archive(root.parent / "x.tar.gz", "readme")), "holds no model: readme"),
        (lambda root: model(root, "CODE", archive(root.parent / "x.tgz", "m.onnx")), "no model descriptor"),
        (lambda root: build(root, "NET", tar=root / "graphs/demo/graph.json"), "it is no tar archive"),
        (lambda root: build(root, "CODE", tar=root / "none.tar"), "No such file"),
        (lambda root: build(root, "CODE", engine="lxc"), "--engine takes"),
        (lambda root: rename_package(root, "CODE", "NET", dry_run=False), "has a package NET already"),
        (lambda root: rename_package(root, "NONE", "X", dry_run=False), "no package `NONE`"),
        (lambda root: rename_package(root, "CODE", "a/b", dry_run=False), "cannot name a package"),
    ],
)  # fmt: skip
def test_a_mistake_changes_something_or_is_not_explained(project: Path, act: Callable[[Path], int], said: str) -> None:
    new(project, "CODE")
    new(project, "NET", "model")
    before = snapshot(project)
    with pytest.raises(Failure) as failure:
        act(project)
    assert said in failure.value.message
    assert "secret-word" not in failure.value.message
    assert snapshot(project) == before


def test_a_dry_run_changes_something(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(project)
    new(project, "CODE", dry_run=True)
    assert snapshot(project) == before
    assert "nothing was changed" in capsys.readouterr().err


def test_a_failed_change_leaves_half_of_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(project)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "graph.json")

    monkeypatch.setattr("vedette.projects.editing.apply_changes", fail)
    with pytest.raises(Failure, match="No space left on device"):
        new(project, "CODE")
    assert snapshot(project) == before
    assert list((project / "packages").iterdir()) == []


def test_an_edited_descriptor_does_not_take_effect(project: Path, tmp_path: Path) -> None:
    whole(project, tmp_path)
    folder = project / f"packages/{ACCOUNT}-NET-1.0"
    old = package(project, "NET")["assets"][0]["implementations"][0]
    (folder / "descriptor.json").write_text((folder / "descriptor.json").read_text().replace("8, 8", "16, 16"))
    assert model(project, "NET", None) == 0
    new_one = package(project, "NET")["assets"][0]["implementations"][0]
    assert new_one["assetUri"] == old["assetUri"]
    content = (project / "assets" / new_one["descriptorUri"]).read_bytes()
    assert sha256(content).hexdigest() + ".json" == new_one["descriptorUri"]
    assert content == (folder / "descriptor.json").read_bytes()
    assert not (project / "assets" / old["descriptorUri"]).exists()
    application = resolve(load_project(project), (), {"front": [CameraSource(name="f", url="rtsp://h/")]}).application
    assert application is not None
    assert application.models[0].unit.inputs[0].shape == [1, 3, 16, 16]


def test_a_file_that_another_package_names_is_taken_away(project: Path, tmp_path: Path) -> None:
    whole(project, tmp_path)
    new(project, "NET2", "model", inputs=("data:1,3,8,8",))
    model(project, "NET2", tmp_path / "net.tar.gz")
    model(project, "NET", archive(tmp_path / "net.tar.gz", "net.onnx", b"another"))
    assert findings(project) == []


def test_a_package_without_interfaces_gets_none(project: Path, tmp_path: Path) -> None:
    """As ``panorama-cli create-package`` leaves it."""
    folder = project / f"packages/{ACCOUNT}-NET-1.0"
    folder.mkdir()
    empty = {"nodePackage": {"envelopeVersion": "2021-01-01", "name": "NET", "assets": [], "interfaces": []}}
    (folder / "package.json").write_text(json.dumps(empty, indent=4))
    model(project, "NET", archive(tmp_path / "net.tar.gz", "a.onnx"), inputs=("x:1,2:uint8",), asset="mine")
    assert package(project, "NET")["interfaces"][0]["name"] == "mine_interface"
    assert graph(project)["nodes"] == [{"name": "mine", "interface": f"{ACCOUNT}::NET.mine_interface"}]
    inputs = json.loads((folder / "descriptor.json").read_text())["mlModelDescriptor"]["inputs"]
    assert inputs == [{"name": "x", "shape": [1, 2], "type": "uint8"}]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_an_exported_file_system_is_not_taken(project: Path, tmp_path: Path, suffix: str) -> None:
    new(project, "CODE")
    exported = archive(tmp_path / f"image{suffix}", "panorama/application.py", b"import panoramasdk\n")
    assert build(project, "CODE", tar=exported) == 0
    implementation = package(project, "CODE")["assets"][0]["implementations"][0]
    packed = (project / "assets" / implementation["assetUri"]).read_bytes()
    assert implementation["assetUri"] == sha256(packed).hexdigest() + ".tar.gz"
    plain = exported.read_bytes() if suffix == ".tar" else gzip.decompress(exported.read_bytes())
    assert gzip.decompress(packed) == plain
    before = snapshot(project)
    build(project, "CODE", tar=exported)
    assert snapshot(project) == before, "the same image gives the same names"
    assert findings(project) == []


def test_the_gpu_that_a_container_asks_for_is_lost(project: Path, tmp_path: Path) -> None:
    new(project, "CODE")
    build(project, "CODE", tar=archive(tmp_path / "a.tar", "a"))
    path = project / f"packages/{ACCOUNT}-CODE-1.0/package.json"
    document = json.loads(path.read_text())
    gpu = {"type": "hardware_access", "inferenceAccelerators": [
        {"deviceType": "nvhost_gpu", "sharedResourcePolicy": {"policy": "allow_all"}}]}  # fmt: skip
    document["nodePackage"]["assets"][0]["implementations"][0]["requirements"] = [gpu]
    path.write_text(json.dumps(document))
    build(project, "CODE", tar=archive(tmp_path / "a.tar", "b"))
    assert package(project, "CODE")["assets"][0]["implementations"][0]["requirements"] == [gpu]


def test_docker_is_called_otherwise_than_by_panorama_cli(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in docker's place: it writes down how it was called and exports a file system."""
    new(project, "CODE")
    archive(tmp_path / "image.tar", "panorama/application.py")
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        f'case "$1" in create) echo 0123abc;; export) cat {tmp_path}/image.tar;; esac\n'
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}:{os.environ['PATH']}")
    assert build(project, "CODE", engine="docker") == 0
    folder = project / f"packages/{ACCOUNT}-CODE-1.0"
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"build --tag vedette-code --pull {folder}",
        "create vedette-code /bin/true",
        "export 0123abc",
        "rm -f 0123abc",
    ]
    uri = package(project, "CODE")["assets"][0]["implementations"][0]["assetUri"]
    assert gzip.decompress((project / "assets" / uri).read_bytes()) == (tmp_path / "image.tar").read_bytes()
    engine.write_text("#!/bin/sh\nexit 3\n")
    before = snapshot(project)
    with pytest.raises(Failure, match="docker build ended with 3"):
        build(project, "CODE", engine="docker")
    assert snapshot(project) == before


def test_a_rename_hits_a_longer_name_or_misses_an_override(project: Path, tmp_path: Path) -> None:
    whole(project, tmp_path)
    new(project, "NET_2", "model")
    override = project / "graphs/demo/override.json"
    override.write_text(
        json.dumps(
            {
                "nodeGraphOverrides": {
                    "envelopeVersion": "2021-01-01",
                    "packages": [{"name": "999999999999::NET", "version": "1.0"}],
                    "nodes": [{"name": "other", "interface": "999999999999::NET.interface"}],
                }
            }
        )
    )
    before = snapshot(project)
    assert rename_package(project, "NET", "RESNET", dry_run=True) == 0
    assert snapshot(project) == before
    assert rename_package(project, "NET", "RESNET", dry_run=False) == 0
    assert package(project, "RESNET")["name"] == "RESNET"
    assert "999999999999::RESNET.interface" in override.read_text()
    names = [item["name"] for item in graph(project)["packages"]]
    assert f"{ACCOUNT}::RESNET" in names
    assert f"{ACCOUNT}::NET_2" in names
    assert (project / f"packages/{ACCOUNT}-NET_2-1.0").is_dir()
    rename_package(project, "RESNET", "NET", dry_run=False)
    assert snapshot(project) == before, "the way back gives the same bytes"
