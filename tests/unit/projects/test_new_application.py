"""vedette new: the documents are good, the code is Python 3.7, names are checked, nothing is written over."""

import ast
import json
from pathlib import Path

import pytest

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.new import new_application
from vedette.cli.terminal import Terminal
from vedette.compiler import compile_application
from vedette.documents import load_project, resolve
from vedette.documents.document import parse_document
from vedette.messages import CameraSource
from vedette.projects import ProjectError, create_project, make_skeleton, plan_import
from vedette.validation import validate

CAMERA = CameraSource(name="camera_node", url="/videos/street.mp4")


def make(folder: Path, *, with_model: bool = False) -> Path:
    new_application(str(folder), Terminal(), camera_only=False, with_model=with_model)
    return folder


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("name", ["my-app", "A", "shop_2", "nanodet_g", "x" * 64])
def test_a_new_application_has_findings(tmp_path: Path, name: str, with_model: bool) -> None:
    project = load_project(make(tmp_path / name, with_model=with_model))
    assert validate(project).findings == (), "not even a warning"
    resolution = resolve(project, (), {"camera_node": [CAMERA]})
    assert resolution.findings == ()
    assert resolution.application is not None
    application = resolution.application
    assert application.name == application.instance == name
    assert [graph.name for graph in project.graphs] == [name]
    assert len(application.models) == int(with_model)
    assert application.outputs[0].node == "output_node"
    assert all(parameter.input.node is not None for parameter in application.parameters)
    compile_application(application)
    assert plan_import(project).replacements == ()


@pytest.mark.parametrize("with_model", [False, True])
def test_a_document_does_not_read_back_as_it_was_written(tmp_path: Path, with_model: bool) -> None:
    for path in make(tmp_path / "my-app", with_model=with_model).rglob("*.json"):
        read = parse_document(path.read_text(), path, path.name)
        assert read.findings == ()
        assert read.require().document() == json.loads(path.read_text())


@pytest.mark.parametrize("with_model", [False, True])
def test_the_code_asks_for_a_port_that_is_not_there(tmp_path: Path, with_model: bool) -> None:
    folder = make(tmp_path / "my-app", with_model=with_model)
    (source,) = folder.glob("packages/*/src/application.py")
    tree = ast.parse(source.read_text(), feature_version=(3, 7))
    used = {
        (node.value.attr, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in {"inputs", "outputs"}
    }
    package = json.loads((source.parent.parent / "package.json").read_text())["nodePackage"]["interfaces"][0]
    assert used == {(kind, port["name"]) for kind in ("inputs", "outputs") for port in package[kind]}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert ("MODEL_NODE" in names) is with_model


@pytest.mark.parametrize("with_model", [False, True])
def test_the_readme_names_a_file_that_is_not_there(tmp_path: Path, with_model: bool) -> None:
    folder = make(tmp_path / "my-app", with_model=with_model)
    text = (folder / "README.md").read_text()
    assert "@" not in text, "a mark was not replaced"
    named = {part for part in text.split("`") if part.startswith(("packages/", "graphs/", "assets/"))}
    assert len(named) == (6 if with_model else 4)
    assert all((folder / name).exists() for name in named)


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("my app", "vedette new my-app"),
        ("9lives", "vedette new app-9lives"),
        ("a/../.", "vedette new my-app"),
        ("kamera-ü", "vedette new kamera"),
        (".hidden", "vedette new hidden"),
        ("x" * 65, f"vedette new {'x' * 64}"),
        ("-", "vedette new my-app"),
        ("a\nb", "vedette new a-b"),
    ],
)
def test_a_name_that_cannot_be_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, proposal: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match="cannot name an application") as caught:
        new_application(name, Terminal(), camera_only=False, with_model=False)
    assert caught.value.hint == proposal
    assert caught.value.exit_code == EXIT_USAGE
    assert list(tmp_path.iterdir()) == []
    make_skeleton(proposal.removeprefix("vedette new "), with_model=False)


def test_a_folder_that_is_there_is_written_into(tmp_path: Path) -> None:
    folder = tmp_path / "my-app"
    folder.symlink_to("nowhere")
    with pytest.raises(Failure, match="is there already"):
        make(folder)
    assert folder.is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["my-app"]


def test_half_of_an_application_is_left(tmp_path: Path) -> None:
    skeleton = make_skeleton("my-app", with_model=True)
    broken = type(skeleton)(skeleton.texts, {**skeleton.copies, "assets/z": tmp_path / "missing"})
    with pytest.raises(ProjectError, match="cannot be made: No such file"):
        create_project(tmp_path / "my-app", broken)
    assert list(tmp_path.iterdir()) == []


def test_options_that_exclude_each_other_are_taken(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="exclude each other"):
        new_application(str(tmp_path / "a"), Terminal(), camera_only=True, with_model=True)
    with pytest.raises(Failure, match="is no folder"):
        new_application(str(tmp_path / "b" / "a"), Terminal(), camera_only=True, with_model=False)
