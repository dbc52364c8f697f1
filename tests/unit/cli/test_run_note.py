"""Word of what runs, left for ``vedette shell``."""

import os
import subprocess
from pathlib import Path

import pytest

from vedette.cli.run_note import RunNote, note_run, noted_run
from vedette.cli.sandbox_shell import open_shell
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


def test_a_shell_shows_what_was_deployed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN two versions that were run here, of which the earlier one was run again, with a file saved since
    root = tmp_path / ".vedette"
    component = "vedette.app.a"
    for place in (f"work/{component}", "work/vedette.Runtime/bin", "work/vedette.AppRuntime/current"):
        (root / place).mkdir(parents=True)
    (root / "work/vedette.Runtime/bin/python").touch()
    unpacked = root / "packages/artifacts-unarchived" / component
    for number, version in enumerate(("1.0.1", "1.0.2")):
        manifest = unpacked / version / "application/application.json"
        manifest.parent.mkdir(parents=True)
        manifest.touch()
        os.utime(manifest, (number, number))
    asked: list[list[str]] = []

    def ran(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", ran)
    saved = tmp_path / "saved"
    saved.mkdir()

    def shown() -> tuple[str, str, str]:
        open_shell(tmp_path, [], None)
        words = asked[-1]
        return tuple(words[words.index(name) + 1] for name in ("--application", "--artifacts", "--environment"))  # type: ignore[return-value]

    artifacts = str(root / "packages/artifacts" / component)
    # THEN without word of it the newest is shown, as by an earlier release
    assert shown() == (str(unpacked / "1.0.2/application"), f"{artifacts}/1.0.2", "auto")
    note_run(root, {component: ComponentDeployment(version="1.0.1", merge={"environment": "sources"})})
    assert shown() == (str(unpacked / "1.0.1/application"), f"{artifacts}/1.0.1", "sources")
    note_run(root, {component: ComponentDeployment(version="1.0.1", merge={"sourceFolder": str(saved)})})
    assert shown() == (str(saved), f"{artifacts}/1.0.1", "auto")
    # AND saved files that have been cleared away are not asked for
    saved.rmdir()
    assert shown()[0] == str(unpacked / "1.0.1/application")
