"""Reproducible archives and the build of Vedette's own components."""

import os
import zipfile
from pathlib import Path

import pytest

import vedette
from vedette.build import OWN_COMPONENTS, BuildError, build_component, build_for_gdk, fill_store, write_zip
from vedette.nucleus.recipe import lifecycle_for, read_recipe
from vedette.nucleus.recipe.platform import Platform


def tree(folder: Path) -> Path:
    (folder / "pkg/__pycache__").mkdir(parents=True)
    (folder / "pkg/__pycache__/a.pyc").write_bytes(b"x")
    (folder / "pkg/a.py").write_text("a = 1\n")
    (folder / "pkg/tool").write_text("#!/bin/sh\n")
    (folder / "pkg/tool").chmod(0o700)
    (folder / "elsewhere").write_text("linked")
    (folder / "pkg/link").symlink_to(folder / "elsewhere")
    return folder / "pkg"


def test_two_builds_differ(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "1"), tree(tmp_path / "2")
    os.utime(second / "a.py", (1, 1))
    (second / "a.py").chmod(0o666)
    assert write_zip(tmp_path / "1.zip", {"p": first})
    assert write_zip(tmp_path / "2.zip", {"p": second})
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_caches_get_in_or_links_stay_links(tmp_path: Path) -> None:
    write_zip(tmp_path / "x.zip", {"p": tree(tmp_path), "f": tmp_path / "elsewhere"})
    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        assert opened.namelist() == ["f", "p/a.py", "p/link", "p/tool"]
        assert opened.read("p/link") == b"linked"
        assert {i.filename: i.external_attr >> 16 & 0o777 for i in opened.infolist()}["p/tool"] == 0o755


def test_an_unchanged_archive_is_written_again(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    assert write_zip(tmp_path / "x.zip", {"p": folder}) is True
    before = (tmp_path / "x.zip").stat().st_mtime_ns
    assert write_zip(tmp_path / "x.zip", {"p": folder}) is False
    assert (tmp_path / "x.zip").stat().st_mtime_ns == before


def test_a_link_in_a_circle_has_no_end(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "loop").symlink_to(tmp_path)
    with pytest.raises(BuildError, match="would have no end"):
        write_zip(tmp_path / "out/x.zip", {"p": folder})


def test_what_is_missing_is_left_out_in_silence(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is not there"):
        write_zip(tmp_path / "x.zip", {"p": tmp_path / "missing"})
    folder = tree(tmp_path)
    (tmp_path / "elsewhere").unlink()
    with pytest.raises(BuildError, match="a link to a file that does not exist"):
        write_zip(tmp_path / "x.zip", {"p": folder})


def test_a_component_s_recipe_and_artifact_do_not_fit(tmp_path: Path) -> None:
    for built in fill_store(tmp_path):
        recipe = read_recipe(built.recipe)
        _, artifacts = lifecycle_for(recipe, Platform.of_this_machine())
        assert (recipe.component_name, recipe.component_version) == (built.name, vedette.__version__)
        assert built.changed
        assert bool(artifacts) == bool(built.artifacts)
        folder = tmp_path / "packages/artifacts" / built.name / built.version
        for artifact in artifacts:
            assert artifact.uri == f"s3://local/{built.name}/{built.version}/{artifact.file_name}"
            assert folder / artifact.file_name in built.artifacts
    assert not any(built.changed for built in fill_store(tmp_path))


@pytest.mark.parametrize("component", [c for c in OWN_COMPONENTS if c.archive], ids=lambda component: component.name)
def test_a_component_s_code_is_not_in_its_artifact(tmp_path: Path, component: object) -> None:
    assert component in OWN_COMPONENTS
    name = getattr(component, "name")  # noqa: B009 - parametrize hides the type
    built = build_component(name, tmp_path)
    assert built.artifacts
    with zipfile.ZipFile(built.artifacts[0]) as opened:
        names = opened.namelist()
    package = getattr(component, "package")  # noqa: B009
    assert (f"{package}/__init__.py" if package else "install.py") in names


@pytest.mark.parametrize("linked", [False, True])
def test_gdk_does_not_find_its_files(tmp_path: Path, linked: bool) -> None:
    # GDK looks for the built recipe under the name that the source's link leads to.
    name = "vedette.Display.yaml" if linked else "recipe.yaml"
    (tmp_path / name).touch()
    if linked:
        (tmp_path / "recipe.yaml").symlink_to(name)
    out = tmp_path / "greengrass-build"
    built = build_for_gdk("vedette.Display", out)
    assert built.recipe == out / "recipes" / name
    assert "s3://BUCKET_NAME/vedette.Display/" in built.recipe.read_text()
    assert [path.name for path in (out / "recipes").iterdir()] == [name]


def test_a_stranger_is_built(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"expected one of vedette\.Suite, vedette\.Runtime"):
        build_component("vedette.Nothing", tmp_path)
