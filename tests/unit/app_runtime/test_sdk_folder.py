"""The copy of panoramasdk that applications of a checkout get."""

from pathlib import Path

import pytest
from vedette_app_runtime.sdk_folder import sdk_folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "ring.py").write_text("FIRST = 1\n")
    package = tmp_path / "checkout" / "panoramasdk"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_rings").symlink_to(shared)
    return package.parent


def test_a_shell_takes_the_sdk_from_under_the_application_that_runs(tmp_path: Path, source: Path) -> None:
    of_the_application = sdk_folder(tmp_path, source)
    known = (of_the_application / "panoramasdk").stat().st_ino
    assert sdk_folder(tmp_path, source) == of_the_application
    assert (of_the_application / "panoramasdk").stat().st_ino == known
    # One that is changed in the checkout is another one, and that of the application stays.
    (tmp_path / "shared" / "ring.py").write_text("SECOND = 2\n")
    changed = sdk_folder(tmp_path, source)
    assert (changed / "panoramasdk/_rings/ring.py").read_text() == "SECOND = 2\n"
    assert (of_the_application / "panoramasdk/_rings/ring.py").read_text() == "FIRST = 1\n"
    assert not (changed / "panoramasdk/__pycache__").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["checkout", "shared", changed.name, of_the_application.name]
    )


def test_an_installed_component_copies_its_sdk(tmp_path: Path, source: Path) -> None:
    (source / "panoramasdk" / "_rings").unlink()
    assert sdk_folder(tmp_path, source) == source
