"""Word of what runs, left for ``vedette shell``."""

from pathlib import Path

from vedette.cli.run_note import RunNote, note_run, noted_run
from vedette.nucleus.deployment import ComponentDeployment


def test_a_shell_is_told_of_what_ran_before(tmp_path: Path) -> None:
    assert noted_run(tmp_path, "vedette.app.a") is None
    saved = ComponentDeployment(version="1.0.2", merge={"environment": "sources", "sourceFolder": "/saved"})
    note_run(tmp_path, {"vedette.app.a": saved})
    assert noted_run(tmp_path, "vedette.app.a") == RunNote("1.0.2", "sources", "/saved")
    # WHEN an earlier version is run again, without its saved files
    note_run(tmp_path, {"vedette.app.a": ComponentDeployment(version="1.0.1", merge={"sourceFolder": None})})
    assert noted_run(tmp_path, "vedette.app.a") == RunNote("1.0.1", "auto", None)


def test_word_of_another_release_ends_the_command(tmp_path: Path) -> None:
    note_run(tmp_path, {"vedette.app.a": ComponentDeployment(version="1.0.1")})
    (tmp_path / "live-sources/vedette.app.a.json").write_text('{"of": "later"}')
    assert noted_run(tmp_path, "vedette.app.a") is None
