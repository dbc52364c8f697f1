"""vedette import: every account id, nothing else, all or nothing."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from vedette.cli.failure import Failure
from vedette.cli.import_project import import_project
from vedette.cli.terminal import Terminal
from vedette.documents import errors, load_project, resolve
from vedette.messages import CameraSource
from vedette.projects import PLACEHOLDER_ACCOUNT, FileChange, FolderChange, ProjectError, apply_changes, plan_import
from vedette.projects.changes import ChangeError
from vedette.resources import examples_dir

NEW = "111122223333"
OTHER = "999900001111"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    source = examples_dir() / "people-counter"
    return shutil.copytree(source, tmp_path / "people-counter", ignore=shutil.ignore_patterns(".vedette"))


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def run(root: Path, *, account: str | None = None, dry_run: bool = False) -> int:
    return import_project(root, Terminal(), account=account, dry_run=dry_run)


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def test_an_account_id_is_left_or_something_else_is_changed(project: Path) -> None:
    before = snapshot(project)
    assert run(project, account=NEW) == 0
    after = snapshot(project)
    expected = {
        name.replace(PLACEHOLDER_ACCOUNT, NEW): content.replace(
            f"{PLACEHOLDER_ACCOUNT}::".encode(), f"{NEW}::".encode()
        )
        for name, content in before.items()
    }
    assert after == expected
    assert any(PLACEHOLDER_ACCOUNT in name for name in before)
    resolution = resolve(load_project(project), (), {"camera_node": [CameraSource(name="c", url="rtsp://h/1")]})
    assert not errors(resolution.findings)
    assert run(project, account=PLACEHOLDER_ACCOUNT) == 0
    assert snapshot(project) == before, "the way back gives the same bytes"


def test_a_second_import_changes_something(project: Path) -> None:
    run(project, account=NEW)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    assert run(project) == 0
    assert plan_import(load_project(project)).replacements == ()
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def test_a_dry_run_changes_something_or_is_silent(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(project)
    assert run(project, account=NEW, dry_run=True) == 0
    assert snapshot(project) == before
    said = capsys.readouterr().err
    assert (
        f"graphs/people-counter/graph.json:6:22  {PLACEHOLDER_ACCOUNT}::PEOPLE_COUNTER -> {NEW}::PEOPLE_COUNTER" in said
    )
    assert "nothing was changed" in said
    plan = plan_import(load_project(project), NEW)
    assert all(f"{change.place}  {change.old} -> {change.new}" in said for change in plan.replacements)
    assert {change.place.partition(":")[0] for change in plan.replacements} == {
        "graphs/people-counter/graph.json",
        "graphs/people-counter/override.json",
        f"packages/{PLACEHOLDER_ACCOUNT}-NANODET_G-1.0",
        f"packages/{PLACEHOLDER_ACCOUNT}-PEOPLE_COUNTER-1.0",
    }


def test_formatting_is_lost(project: Path) -> None:
    graph = project / "graphs/people-counter/graph.json"
    odd = graph.read_text().replace("\n", "\r\n").replace('": "', '"  :\t"')
    graph.write_bytes(b"\xef\xbb\xbf" + odd.encode())
    before = graph.read_bytes()
    graph.chmod(0o640)
    run(project, account=NEW)
    assert graph.read_bytes() == before.replace(f"{PLACEHOLDER_ACCOUNT}::".encode(), f"{NEW}::".encode())
    assert graph.stat().st_mode & 0o777 == 0o640


def test_several_graphs_and_escaped_names_are_passed_over(project: Path) -> None:
    second = project / "graphs/second/graph.json"
    second.parent.mkdir()
    text = (project / "graphs/people-counter/graph.json").read_text()
    second.write_text(
        text.replace(f"{PLACEHOLDER_ACCOUNT}::NANODET_G", "\\u0031" + PLACEHOLDER_ACCOUNT[1:] + "::NANODET_G")
    )
    run(project, account=NEW)
    document = json.loads(second.read_text())["nodeGraph"]
    assert [item["name"].partition("::")[0] for item in document["packages"]] == [NEW, NEW, "panorama", "panorama"]
    assert document["nodes"][1]["interface"] == f"{NEW}::NANODET_G.interface"


def test_a_graph_of_system_packages_alone_is_changed(project: Path) -> None:
    graph = project / "graphs/people-counter/graph.json"
    document = json.loads(graph.read_text())
    document["nodeGraph"]["packages"] = document["nodeGraph"]["packages"][2:]
    document["nodeGraph"]["nodes"] = document["nodeGraph"]["nodes"][2:]
    document["nodeGraph"]["edges"] = []
    graph.write_text(json.dumps(document))
    before = graph.read_bytes()
    run(project, account=NEW)
    assert graph.read_bytes() == before


def test_unknown_ids_are_left(project: Path) -> None:
    shutil.move(project / f"packages/{PLACEHOLDER_ACCOUNT}-NANODET_G-1.0", project / "packages/ACCOUNT-NANODET_G-1.0")
    edit(
        project / "graphs/people-counter/graph.json",
        lambda text: text.replace(f"{PLACEHOLDER_ACCOUNT}::NANODET_G", "my_account::NANODET_G"),
    )
    plan = plan_import(load_project(project))
    assert plan.account == PLACEHOLDER_ACCOUNT, "the project has no real id"
    assert {change.old for change in plan.replacements} == {
        "my_account::NANODET_G", "my_account::NANODET_G.interface", "ACCOUNT-NANODET_G-1.0",
    }  # fmt: skip
    run(project)
    assert (project / f"packages/{PLACEHOLDER_ACCOUNT}-NANODET_G-1.0/package.json").is_file()


def test_the_projects_own_id_is_not_found(project: Path) -> None:
    edit(
        project / "graphs/people-counter/override.json",
        lambda text: text.replace(f"{PLACEHOLDER_ACCOUNT}::GATE", f"{OTHER}::GATE"),
    )
    assert plan_import(load_project(project)).account == OTHER, "one real id among placeholders is the project's"
    shutil.move(project / f"packages/{PLACEHOLDER_ACCOUNT}-NANODET_G-1.0", project / f"packages/{NEW}-NANODET_G-1.0")
    with pytest.raises(ProjectError, match=f"2 account ids: {NEW}, {OTHER}"):
        plan_import(load_project(project))
    assert run(project, account=OTHER) == 0
    assert {path.name.partition("-")[0] for path in (project / "packages").iterdir()} == {OTHER}


@pytest.mark.parametrize(
    "account", ["12345678901", "1234567890123", "12345678901a", "panorama", "", "１２３４５６７８９０１２"]
)
def test_an_account_id_that_is_none_is_taken(project: Path, account: str) -> None:
    with pytest.raises(ProjectError, match="12 digits"):
        plan_import(load_project(project), account)


def test_two_packages_become_one(project: Path) -> None:
    twin = project / f"packages/{OTHER}-NANODET_G-1.0"
    shutil.copytree(project / f"packages/{PLACEHOLDER_ACCOUNT}-NANODET_G-1.0", twin)
    before = snapshot(project)
    with pytest.raises(Failure, match="would both become"):
        run(project, account=NEW)
    assert snapshot(project) == before
    shutil.rmtree(twin)
    edit(
        project / "graphs/people-counter/graph.json",
        lambda text: text.replace('"packages": [', f'"packages": [{{"name": "{OTHER}::NANODET_G", "version": "1.0"}},'),
    )
    with pytest.raises(Failure, match=f"`{OTHER}::NANODET_G` and `{PLACEHOLDER_ACCOUNT}::NANODET_G`"):
        run(project, account=NEW)


def test_a_broken_document_is_written_or_others_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "graphs/people-counter/override.json", lambda text: text.replace("{", "", 1))
    before = snapshot(project)
    with pytest.raises(Failure, match="1 error, nothing was changed"):
        run(project, account=NEW)
    assert snapshot(project) == before
    assert "graphs/people-counter/override.json:2:25" in capsys.readouterr().err


def test_a_damaged_asset_is_taken(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (asset,) = project.glob("assets/*.tar.gz")
    content = bytearray(asset.read_bytes())
    content[1000] ^= 1
    asset.write_bytes(content)
    before = snapshot(project)
    with pytest.raises(Failure, match="an asset is not what it is named"):
        run(project, account=NEW)
    assert snapshot(project) == before
    assert sha256(content).hexdigest()[:12] in capsys.readouterr().err


def test_missing_assets_are_not_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asset in project.glob("assets/*"):
        asset.unlink()
    package = project / f"packages/{PLACEHOLDER_ACCOUNT}-PEOPLE_COUNTER-1.0/package.json"
    implementation = {"type": "container", "assetUri": "c.tar.gz", "descriptorUri": "d.json"}
    document = json.loads(package.read_text())
    document["nodePackage"]["assets"] = [{"name": "code_asset", "implementations": [implementation]}]
    package.write_text(json.dumps(document))
    assert run(project, dry_run=True) == 0
    said = capsys.readouterr().err
    assert ".tar.gz is not there; calls of this model will fail" in said
    assert "assets/c.tar.gz is not there; the package's sources stand in for it" in said
    assert "assets/d.json is not there; descriptor.json of the package stands in for it" in said
    assert said.count("is not there") == 3, "the model's descriptor lies in its package, by its hash"


def test_a_folder_without_an_id_gets_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "packages/notes").mkdir()
    run(project, account=NEW)
    assert (project / "packages/notes").is_dir()
    assert "packages/notes: its name holds no account id" in capsys.readouterr().err


def test_a_failure_in_the_middle_leaves_half_of_the_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(project)
    plan = plan_import(load_project(project), NEW)
    rename = Path.rename
    calls: list[Path] = []

    def fails_at_the_second(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise PermissionError(1, "Operation not permitted", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_at_the_second)
    with pytest.raises(ChangeError, match="Operation not permitted; nothing was changed"):
        apply_changes(plan.files, plan.folders)
    assert snapshot(project) == before


def test_a_file_that_was_changed_meanwhile_is_overwritten(project: Path) -> None:
    plan = plan_import(load_project(project), NEW)
    graph = project / "graphs/people-counter/graph.json"
    edit(graph, lambda text: text + "\n")
    before = snapshot(project)
    with pytest.raises(ChangeError, match="was changed meanwhile; nothing was changed"):
        apply_changes(plan.files, plan.folders)
    assert snapshot(project) == before


def test_a_folder_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    file = tmp_path / "f"
    file.write_bytes(b"old")
    with pytest.raises(ChangeError, match="is there already"):
        apply_changes([FileChange(file, b"old", b"new")], [FolderChange(tmp_path / "a", "b")])
    assert file.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "f"]


def test_a_link_becomes_a_file(project: Path) -> None:
    graph = project / "graphs/people-counter/graph.json"
    real = project / "graph-of-all.json"
    graph.rename(real)
    graph.symlink_to("../../graph-of-all.json")
    run(project, account=NEW)
    assert graph.is_symlink()
    assert f"{NEW}::PEOPLE_COUNTER" in real.read_text()
