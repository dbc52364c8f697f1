"""What of a saved project can be run again by its files alone."""

from dataclasses import replace
from pathlib import Path

from vedette.application import ApplicationManifest
from vedette.compiler import Compiled, only_files_differ, write_live_sources
from vedette.compiler.component import ArtifactFile, CompiledComponent

MANIFEST = ApplicationManifest.model_validate(
    {
        "name": "a",
        "code_package": "CODE",
        "version": "1.0",
        "entry": {"path": "python3", "name": "/panorama/application.py"},
        "inputs": [],
        "outputs": [],
        "models": [],
    }
)


def component(*files: ArtifactFile) -> CompiledComponent:
    return CompiledComponent("vedette.app.a", "1.0.1", {}, "application", files)


def test_a_saved_parameter_or_model_is_taken_for_a_saved_file() -> None:
    before = Compiled(component(), (), MANIFEST, {"instance": "a", "parameters": {"threshold": 1}})
    saved = replace(before, application=replace(component(ArtifactFile("a.py", b"2")), version="1.0.2"))
    assert only_files_differ(before, saved)
    assert not only_files_differ(before, replace(saved, configuration={"instance": "a", "parameters": {}}))
    assert not only_files_differ(before, replace(saved, manifest=MANIFEST.model_copy(update={"gpu": True})))
    model = CompiledComponent("vedette.model.M.1", "1.0.1", {}, "model", ())
    assert not only_files_differ(before, replace(saved, models=(model,)))


def test_gigabytes_of_weights_are_copied_at_every_save(tmp_path: Path) -> None:
    weights, code = tmp_path / "weights.bin", tmp_path / "application.py"
    weights.write_bytes(b"w" * 100)
    code.write_text("1")
    code.chmod(0o755)
    files = (
        ArtifactFile("application.json", b"{}"),
        ArtifactFile("panorama/weights.bin", weights),
        ArtifactFile("panorama/application.py", code),
    )
    folder = tmp_path / "live"
    first = write_live_sources(component(*files), folder)
    assert (first / "panorama/application.py").stat().st_mode & 0o111
    assert (first / "application.json").read_bytes() == b"{}"
    code.write_text("print(2)")
    second = write_live_sources(component(*files), folder)
    # THEN an application that still runs from the first keeps what it has
    assert (first / "panorama/application.py").read_text() == "1"
    assert (second / "panorama/application.py").read_text() == "print(2)"
    one, other = ((path / "panorama/weights.bin").stat() for path in (first, second))
    assert one.st_ino == other.st_ino
    assert one.st_ino != weights.stat().st_ino, "what is saved later would change what runs"
    # AND what is older goes
    code.write_text("print(3)")
    third = write_live_sources(component(*files), folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in (second, third))
    # AND going back is a folder that may still be there
    code.write_text("print(2)")
    assert write_live_sources(component(*files), folder) == second
