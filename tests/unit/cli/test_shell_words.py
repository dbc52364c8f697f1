"""What is run in the sandbox by ``vedette shell``."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from vedette.cli import developing


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], []),
        (["--", "ls", "-l"], ["ls", "-l"]),
        (["ls", "-l"], ["ls", "-l"]),
        (["sh", "-c", "--"], ["sh", "-c", "--"]),
    ],
)
def test_the_dashes_before_a_command_are_run(
    words: list[str], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def opened(directory: Path, given: list[str], instance: str | None) -> int:
        assert (directory, instance) == (Path("my-app"), None)
        asked.append(given)
        return 7

    monkeypatch.setattr("vedette.cli.sandbox_shell.open_shell", opened)
    app = typer.Typer()
    developing.register(app, {})
    done = CliRunner().invoke(app, ["shell", "my-app", *words])
    assert (done.exit_code, asked) == (7, [command])
