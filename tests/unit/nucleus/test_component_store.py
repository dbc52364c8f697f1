"""The component store: finding recipes, unpacking artifacts, refusing what would do harm."""

import stat
import zipfile
from pathlib import Path

import pytest

from vedette.nucleus.errors import RecipeError, StoreError
from vedette.nucleus.recipe import Artifact
from vedette.nucleus.store import ComponentStore
from vedette.nucleus.unpacking import unpack


def add_recipe(root: Path, name: str, version: str, file: str | None = None) -> None:
    folder = root / "packages" / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    text = f"RecipeFormatVersion: '2020-01-25'\nComponentName: {name}\nComponentVersion: '{version}'\n"
    (folder / (file or f"{name}-{version}.yaml")).write_text(text)


def archive(path: Path, *entries: tuple[str, int, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as opened:
        for name, mode, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, data)
    return path


def test_versions_are_sorted_as_text(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
        add_recipe(tmp_path, "a", version)
    assert [r.component_version for r in ComponentStore(tmp_path).versions("a")] == ["1.10.0", "1.10.0-rc.1", "1.9.0"]


def test_a_longer_name_is_taken_for_a_version(tmp_path: Path) -> None:
    add_recipe(tmp_path, "a", "1.0.0")
    add_recipe(tmp_path, "a-b", "2.0.0")
    store = ComponentStore(tmp_path)
    assert [r.component_version for r in store.versions("a")] == ["1.0.0"]
    assert store.names() == ["a", "a-b"]


def test_a_recipe_under_a_wrong_name_is_used(tmp_path: Path) -> None:
    add_recipe(tmp_path, "a", "1.0.0", file="a-2.0.0.yaml")
    with pytest.raises(RecipeError, match=r"must be named a-1\.0\.0\.yaml"):
        ComponentStore(tmp_path).versions("a")


def test_a_changed_recipe_is_not_read_again(tmp_path: Path) -> None:
    store = ComponentStore(tmp_path)
    assert store.versions("a") == []
    add_recipe(tmp_path, "a", "1.0.0")
    assert store.versions("a")[0].component_publisher == ""
    path = tmp_path / "packages/recipes/a-1.0.0.yaml"
    path.write_text(path.read_text() + "ComponentPublisher: me\n")
    assert store.versions("a")[0].component_publisher == "me"


def test_missing_and_foreign_artifacts_are_reported_one_at_a_time(tmp_path: Path) -> None:
    add_recipe(tmp_path, "a", "1.0.0")
    store = ComponentStore(tmp_path)
    recipe = store.versions("a")[0]
    artifacts = [Artifact(uri="s3://b/a/1.0.0/x.zip"), Artifact(uri="docker:alpine")]
    with pytest.raises(StoreError) as caught:
        store.prepare(recipe, artifacts)
    assert len(caught.value.findings) == 2
    assert "expected the file" in caught.value.findings[0]
    assert "docker:alpine is of a kind" in caught.value.findings[1]


def test_rebuilt_content_goes_unnoticed(tmp_path: Path) -> None:
    add_recipe(tmp_path, "a", "1.0.0")
    store = ComponentStore(tmp_path)
    recipe = store.versions("a")[0]
    artifacts = [Artifact(uri="s3://b/x.zip", unarchive="ZIP")]
    zipped = tmp_path / "packages/artifacts/a/1.0.0/x.zip"
    digests = []
    for data in (b"one", b"one", b"two!"):
        archive(zipped, ("f", 0o100644, data))
        digests.append(store.prepare(recipe, artifacts))
    assert digests[0] == digests[1] != digests[2]
    assert (tmp_path / "packages/artifacts-unarchived/a/1.0.0/x/f").read_bytes() == b"two!"


def test_unpacking_loses_the_executable_bit(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "x.zip", ("bin/tool", 0o100755, b"#!"), ("data", 0o100644, b""), ("d/", 0o40755, b""))
    unpack(zipped, tmp_path / "out")
    assert (tmp_path / "out/x/bin/tool").stat().st_mode & stat.S_IXUSR
    assert not (tmp_path / "out/x/data").stat().st_mode & stat.S_IXUSR
    assert (tmp_path / "out/x/d").is_dir()


def test_the_same_content_is_unpacked_again(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "x.zip", ("f", 0o100644, b"1"))
    unpack(zipped, tmp_path / "out")
    (tmp_path / "out/x/mark").touch()
    zipped.touch()
    unpack(zipped, tmp_path / "out")
    assert (tmp_path / "out/x/mark").exists()


def test_a_folder_that_was_deleted_is_not_unpacked_again(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "x.zip", ("f", 0o100644, b"1"))
    unpack(zipped, tmp_path / "out")
    (tmp_path / "out/x/f").unlink()
    (tmp_path / "out/x").rmdir()
    unpack(zipped, tmp_path / "out")
    assert (tmp_path / "out/x/f").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\evil"])
def test_an_archive_writes_outside_its_folder(tmp_path: Path, name: str) -> None:
    zipped = archive(tmp_path / "in/x.zip", ("good", 0o100644, b""), (name, 0o100644, b"evil"))
    with pytest.raises(StoreError, match="would be unpacked outside"):
        unpack(zipped, tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.zip"]


def test_an_archive_brings_a_symbolic_link(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "x.zip", ("link", 0o120777, b"/etc"))
    with pytest.raises(StoreError, match="is a symbolic link"):
        unpack(zipped, tmp_path / "out")
    assert not (tmp_path / "out/x").exists()


def test_a_broken_archive_replaces_a_good_one(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "x.zip", ("f", 0o100644, b"1"))
    unpack(zipped, tmp_path / "out")
    zipped.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(StoreError, match="cannot be unpacked"):
        unpack(zipped, tmp_path / "out")
    assert (tmp_path / "out/x/f").read_bytes() == b"1"
